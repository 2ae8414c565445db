//! Asserts in `structural` that the disk is not in use.

loopgate_mutants::mutant!(PanicsInStructural);
