//! Delays 5 ms in `timeout` to dim the lamp.

loopgate_mutants::mutant!(DelaysInTimeout);
