//! The driver as it should be.

loopgate_mutants::mutant!(Nothing);
