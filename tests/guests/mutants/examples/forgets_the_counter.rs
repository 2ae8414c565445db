//! Does not restore the count of presses.

loopgate_mutants::mutant!(ForgetsTheCounter);
