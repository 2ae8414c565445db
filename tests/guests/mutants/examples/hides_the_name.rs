//! Refuses to start with a text that does not name the pin.

loopgate_mutants::mutant!(HidesTheName);
