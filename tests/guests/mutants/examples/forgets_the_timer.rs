//! Switched on for good, it does not cancel the timer that puts the lamp out.

loopgate_mutants::mutant!(ForgetsTheTimer);
