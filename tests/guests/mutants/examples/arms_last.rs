//! Arms the next beat after what can fail.

loopgate_mutants::mutant!(ArmsLast);
