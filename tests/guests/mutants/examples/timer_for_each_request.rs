//! Creates a timer for each request and never drops it.

loopgate_mutants::mutant!(TimerForEachRequest);
