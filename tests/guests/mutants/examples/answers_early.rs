//! Lets a cancelled request's timer run on, which then answers the next one.

loopgate_mutants::mutant!(AnswersEarly);
