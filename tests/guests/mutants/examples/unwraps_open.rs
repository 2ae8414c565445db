//! Unwraps what `open` of its button gives.

loopgate_mutants::mutant!(UnwrapsOpen);
