//! Allocates a place for each millisecond that the clock shows in `start`.

loopgate_mutants::mutant!(SizedByUptime);
