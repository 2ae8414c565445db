//! Allocates as much as a request's number says.

loopgate_mutants::mutant!(AllocatesWhatIsSaid);
