//! Does not restore the begin of a line.

loopgate_mutants::mutant!(ForgetsTheLine);
