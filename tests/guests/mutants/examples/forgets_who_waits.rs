//! Forgets who waits when the board goes to sleep.

loopgate_mutants::mutant!(ForgetsWhoWaits);
