//! Replies one press too few.

loopgate_mutants::mutant!(OffByOne);
