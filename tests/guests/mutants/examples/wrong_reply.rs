//! Ends its answers with a carriage return, too.

loopgate_mutants::mutant!(WrongReply);
