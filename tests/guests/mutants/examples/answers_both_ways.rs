//! Completes a request and returns an answer as well.

loopgate_mutants::mutant!(AnswersBothWays);
