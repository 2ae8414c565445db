//! Arms the next beat from the end of this one, so that they drift.

loopgate_mutants::mutant!(HeartbeatDrifts);
