//! The lamp is on for nine tenths of the time.

loopgate_mutants::mutant!(ShortPulse);
