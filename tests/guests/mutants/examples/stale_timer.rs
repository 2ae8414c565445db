//! Lets a cancelled request's timer run on, and asserts that somebody waits.

loopgate_mutants::mutant!(StaleTimer);
