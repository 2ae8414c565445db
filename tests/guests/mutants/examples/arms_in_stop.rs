//! Arms its timer in `stop`.

loopgate_mutants::mutant!(ArmsInStop);
