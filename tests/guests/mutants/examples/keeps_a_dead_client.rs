//! Keeps the disk open when its driver goes.

loopgate_mutants::mutant!(KeepsADeadClient);
