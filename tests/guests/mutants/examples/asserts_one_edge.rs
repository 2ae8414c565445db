//! Asserts that each interrupt is one edge.

loopgate_mutants::mutant!(AssertsOneEdge);
