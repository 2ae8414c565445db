//! Refuses to start while the button is held.

loopgate_mutants::mutant!(StartsReleasedOnly);
