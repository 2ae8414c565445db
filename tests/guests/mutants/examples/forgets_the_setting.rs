//! Does not restore how long the lamp is to be on.

loopgate_mutants::mutant!(ForgetsTheSetting);
