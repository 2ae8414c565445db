//! Does not arm its heartbeat again when the board wakes.

loopgate_mutants::mutant!(SleepsOn);
