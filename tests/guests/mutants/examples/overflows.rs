//! Multiplies a request's number of seconds, which overflows.

loopgate_mutants::mutant!(Overflows);
