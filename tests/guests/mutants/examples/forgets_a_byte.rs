//! Loses a byte where a line comes in two pieces.

loopgate_mutants::mutant!(ForgetsAByte);
