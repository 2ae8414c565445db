//! Arms its heartbeat anew in `restore`.

loopgate_mutants::mutant!(RearmsInRestore);
