//! Asserts that no interrupt is lost.

loopgate_mutants::mutant!(AssertsNoLoss);
