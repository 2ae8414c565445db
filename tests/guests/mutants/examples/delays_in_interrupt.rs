//! Debounces by a delay of 5 ms in `interrupt`.

loopgate_mutants::mutant!(DelaysInInterrupt);
