//! The end of a loop.

use loopgate_workloop::{CommandGate, Error, EventSource as _, Wake};

use crate::support::{explore, join, spawn, stalled};

#[test]
fn a_loop_dropped_under_its_clients() {
    explore(|| {
        let (work_loop, gate, cx) = stalled();
        let client = {
            let gate = gate.clone();
            spawn("client", move |cx| {
                assert!(gate.run_action(cx, || ()).is_err());
            })
        };
        let sleeper = {
            let gate = CommandGate::new(2, None);
            work_loop.add_event_source(&cx, gate.clone()).unwrap();
            spawn("sleeper", move |cx| {
                match gate.run_action(cx, || gate.sleep(cx, 1, None)) {
                    Ok(slept) => assert!(matches!(
                        slept,
                        Ok(Wake::Interrupted) | Err(Error::Aborted | Error::NotReady)
                    )),
                    Err(error) => assert!(matches!(error, Error::Aborted | Error::NotReady)),
                }
            })
        };
        drop(work_loop);
        join([client, sleeper]);
        assert!(gate.attachment().work_loop().is_none());
    });
}
