//! Framings, flow control, breaks and modem lines.

use std::time::Duration;

use loopgate_devices::serial::{Error, FlowControl, LineErrors, ModemLines, PortRequest};

use super::watch::Watched;
use super::{Bench, Case, request};
use crate::{Feature, until};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "bytes are framed as was asked for",
        needs: Some(Feature::Wires),
        run: framings,
    },
    Case {
        name: "a framing or flow control that is left out is refused",
        needs: Some(Feature::NoWires),
        run: left_out,
    },
    Case {
        name: "RS-485 is there or refused",
        needs: None,
        run: rs485,
    },
    Case {
        name: "modem lines are told and switched",
        needs: Some(Feature::Wires),
        run: modem_lines,
    },
    Case {
        name: "what has no modem lines says so",
        needs: Some(Feature::NoWires),
        run: no_modem_lines,
    },
    Case {
        name: "a break is sent between bytes",
        needs: Some(Feature::Wires),
        run: break_sent,
    },
    Case {
        name: "a break is received, and is no byte",
        needs: Some(Feature::Breaks),
        run: break_received,
    },
];

fn framed(bench: &dyn Bench, framing: &str, flow: FlowControl) -> PortRequest {
    PortRequest {
        framing: framing.parse().unwrap(),
        flow,
        ..request(bench)
    }
}

fn refused(bench: &dyn Bench, request: &PortRequest) -> String {
    let error = bench.controller().open(request).err();
    let error = error.expect("it is opened");
    assert!(matches!(error, Error::Lacks { .. }), "{error}");
    error.to_string()
}

fn framings(bench: &dyn Bench) {
    for (framing, flow) in [
        ("8N1", FlowControl::RtsCts),
        ("8E1", FlowControl::None),
        ("8O2", FlowControl::XonXoff),
        ("7E2", FlowControl::None),
        ("7O1", FlowControl::RtsCts),
    ] {
        let port = Watched::open(bench, &framed(bench, framing, flow));
        if bench.has(Feature::Echo) {
            assert_eq!(port.exchange(b"seven bits"), b"seven bits", "{framing}");
        }
    }
}

fn left_out(bench: &dyn Bench) {
    for framing in ["7N1", "8E1", "8O2", "7E2"] {
        let error = refused(bench, &framed(bench, framing, FlowControl::None));
        let expected = format!("has no framing {framing}; do without, or use a port that has");
        assert!(error.ends_with(&expected), "{error}");
    }
    // As it was before, and free.
    let port = Watched::open(bench, &request(bench));
    assert_eq!(port.exchange(b"\xff\x00\xff"), b"\xff\x00\xff");
}

fn rs485(bench: &dyn Bench) {
    let request = PortRequest {
        rs485: true,
        ..request(bench)
    };
    match bench.controller().open(&request) {
        Ok(port) => assert!(matches!(port.set_rts(true), Err(Error::Lacks { .. }))),
        Err(Error::Lacks { what, .. }) => assert_eq!(what, "RS-485 mode"),
        Err(error) => panic!("{error}"),
    }
}

fn modem_lines(bench: &dyn Bench) {
    let port = Watched::open(bench, &request(bench));
    let ready = ModemLines {
        cts: true,
        dsr: true,
        dcd: true,
        ri: false,
    };
    assert_eq!(port.port.modem_lines().unwrap(), ready);
    for active in [false, true] {
        port.port.set_dtr(active).unwrap();
        port.port.set_rts(active).unwrap();
    }
    drop(port);
    let flow = FlowControl::RtsCts;
    let port = Watched::open(bench, &framed(bench, "8N1", flow)).port;
    let error = port.set_rts(false).unwrap_err();
    assert!(matches!(error, Error::Lacks { .. }), "{error}");
    port.set_dtr(true).unwrap();
}

fn no_modem_lines(bench: &dyn Bench) {
    let port = Watched::open(bench, &request(bench));
    let port = &port.port;
    let second = Duration::from_secs(1);
    for (result, what) in [
        (port.modem_lines().map(drop), "modem lines"),
        (port.set_dtr(true), "modem lines"),
        (port.set_rts(true), "modem lines"),
        (port.send_break(second), "break"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(&format!("has no {what};")), "{error}");
    }
}

fn break_sent(bench: &dyn Bench) {
    let port = Watched::open(bench, &request(bench));
    let send = || port.port.send_break(Duration::from_millis(10));
    assert_eq!(port.port.write(b"before").unwrap(), 6);
    send().unwrap();
    assert_eq!(port.port.write(b"after").unwrap(), 5);
    if bench.has(Feature::Echo) {
        let mut back = Vec::new();
        while back.len() < 11 {
            port.readable();
            port.port.read(usize::MAX, &mut back).unwrap();
        }
        assert_eq!(back, b"beforeafter");
    }
    let all_sent = || port.port.counts().output == 11;
    until("what was written is sent", || bench.pass(), all_sent);
    // One at a time, and another one when it is over.
    let is_sent = || match send() {
        Ok(()) => true,
        Err(Error::Breaking { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    until("another break", || bench.pass(), is_sent);
}

fn break_received(bench: &dyn Bench) {
    let port = Watched::open(bench, &request(bench));
    for breaks in 1..=2 {
        bench.send_break();
        port.readable();
        assert_eq!(port.port.read(100, &mut Vec::new()).unwrap(), 0);
        let expected = LineErrors {
            breaks: 1,
            ..LineErrors::default()
        };
        assert_eq!(port.port.take_line_errors(), expected);
        assert_eq!(port.port.take_line_errors(), LineErrors::default());
        let counts = port.port.counts();
        assert_eq!((counts.breaks, counts.input, counts.lost), (breaks, 0, 0));
    }
}
