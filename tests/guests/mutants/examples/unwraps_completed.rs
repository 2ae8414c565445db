//! Unwraps what the disk answers.

loopgate_mutants::mutant!(UnwrapsCompleted);
