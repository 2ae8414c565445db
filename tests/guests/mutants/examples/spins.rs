//! Counts to two million to wait for the contact to rest.

loopgate_mutants::mutant!(Spins);
