//! Asserts in `cancelled` that the disk is not being asked.

loopgate_mutants::mutant!(PanicsInCancelled);
