//! Logs each edge.

loopgate_mutants::mutant!(LogsEachEdge);
