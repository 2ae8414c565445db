//! Restores whether the button is held the wrong way round.

loopgate_mutants::mutant!(RestoresInverted);
