//! Opens its button's pin a second time.

loopgate_mutants::mutant!(OpensTwice);
