//! Asserts that a beat is not late.

loopgate_mutants::mutant!(AssertsOnTime);
