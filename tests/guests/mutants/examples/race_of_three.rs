//! An edge hands it the waiting request, which a line then answers before the contact rests.

loopgate_mutants::mutant!(RaceOfThree);
