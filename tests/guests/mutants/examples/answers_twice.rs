//! Answers a request by its id a second time.

loopgate_mutants::mutant!(AnswersTwice);
