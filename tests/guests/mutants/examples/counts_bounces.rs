//! Counts a press when the contact bounces, too.

loopgate_mutants::mutant!(CountsBounces);
