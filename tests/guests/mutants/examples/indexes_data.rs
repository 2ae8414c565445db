//! Indexes a request's data unchecked.

loopgate_mutants::mutant!(IndexesData);
