//! Takes for granted that the lamp was on when the board went to sleep.

loopgate_mutants::mutant!(PanicsOnWake);
