//! Unwraps what `set` of the lamp gives.

loopgate_mutants::mutant!(UnwrapsSet);
