//! Opens the disk for each request and never closes it.

loopgate_mutants::mutant!(KeepsEveryClient);
