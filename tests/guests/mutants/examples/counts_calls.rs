//! Counts edges that come in one call as one.

loopgate_mutants::mutant!(CountsCalls);
