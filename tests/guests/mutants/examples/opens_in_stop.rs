//! Opens the disk in `stop`.

loopgate_mutants::mutant!(OpensInStop);
