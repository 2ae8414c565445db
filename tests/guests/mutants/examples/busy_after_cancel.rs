//! Stays busy when the request that it is busy with is cancelled.

loopgate_mutants::mutant!(BusyAfterCancel);
