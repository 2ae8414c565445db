//! Sorts all edges of a call anew for each of them.

loopgate_mutants::mutant!(SortsForEachEdge);
