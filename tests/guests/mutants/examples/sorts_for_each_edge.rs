//! Sorts all later edges of a call anew for each of them.

loopgate_mutants::mutant!(SortsForEachEdge);
