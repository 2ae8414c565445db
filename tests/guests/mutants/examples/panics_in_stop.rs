//! Unwraps the waiting request in `stop`, where none may wait.

loopgate_mutants::mutant!(PanicsInStop);
