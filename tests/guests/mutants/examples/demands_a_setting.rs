//! Unwraps a setting that the board file may leave out.

loopgate_mutants::mutant!(DemandsASetting);
