//! Makes up for each beat that it missed.

loopgate_mutants::mutant!(CatchesUp);
