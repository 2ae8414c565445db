//! Answers a request by its id after it was cancelled.

loopgate_mutants::mutant!(AnswersLate);
