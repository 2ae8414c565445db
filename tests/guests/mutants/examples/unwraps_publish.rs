//! Unwraps what `publish` gives.

loopgate_mutants::mutant!(UnwrapsPublish);
