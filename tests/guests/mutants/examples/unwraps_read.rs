//! Unwraps what `read` of the port gives.

loopgate_mutants::mutant!(UnwrapsRead);
