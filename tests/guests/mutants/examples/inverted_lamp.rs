//! Drives the lamp inverted.

loopgate_mutants::mutant!(InvertedLamp);
