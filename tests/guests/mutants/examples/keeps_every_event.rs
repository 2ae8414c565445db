//! Keeps a record of each beat for ever.

loopgate_mutants::mutant!(KeepsEveryEvent);
