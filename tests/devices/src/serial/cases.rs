//! Bytes, speeds, and devices that come and go.

use loopgate_devices::serial::{Error, PortRequest};

use super::watch::Watched;
use super::{Bench, Case, request};
use crate::{Feature, until};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a mebibyte comes back at an odd speed",
        needs: Some(Feature::Echo),
        run: mebibyte,
    },
    Case {
        name: "a device is gone, and back",
        needs: Some(Feature::Unplug),
        run: gone_and_back,
    },
    Case {
        name: "a port has one holder",
        needs: None,
        run: one_holder,
    },
    Case {
        name: "no speed at all is refused",
        needs: None,
        run: no_speed,
    },
    Case {
        name: "another speed than was asked for is refused",
        needs: Some(Feature::Fallback),
        run: fallback,
    },
];

/// Every byte, in no order that a tty could mean something by (splitmix64).
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let byte = |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as u8
    };
    (0..count).map(byte).collect()
}

fn mebibyte(bench: &dyn Bench) {
    let request = PortRequest {
        baud: 250_000,
        ..request(bench)
    };
    let port = Watched::open(bench, &request);
    let sent = bytes(1 << 20);
    let back = port.exchange(&sent);
    assert!(back == sent, "other bytes came back");
    let counts = port.port.counts();
    let all = 1 << 20;
    assert_eq!((counts.output, counts.input, counts.lost), (all, all, 0));
}

fn gone_and_back(bench: &dyn Bench) {
    let port = Watched::open(bench, &request(bench));
    for _ in 0..2 {
        if bench.has(Feature::Echo) {
            assert_eq!(port.exchange(b"there"), b"there");
        }
        bench.plug(false);
        port.readable();
        let gone = port.port.read(1, &mut Vec::new()).unwrap_err();
        assert!(matches!(gone, Error::Gone { .. }), "{gone}");
        assert!(port.port.write(b"x").is_err());
        let busy = bench.controller().open(&request(bench)).err().unwrap();
        assert!(matches!(busy, Error::Busy { .. }), "{busy}");
        bench.plug(true);
        port.readable();
        assert_eq!(port.port.read(1, &mut Vec::new()).unwrap(), 0);
    }
    if bench.has(Feature::Echo) {
        assert_eq!(port.exchange(b"and back"), b"and back");
    }
}

fn one_holder(bench: &dyn Bench) {
    let port = Watched::open(bench, &request(bench));
    let error = bench.controller().open(&request(bench)).err().unwrap();
    let expected = "is held by `device-suite`; stop that, or use another port";
    assert!(error.to_string().ends_with(expected), "{error}");
    drop(port);
    drop(Watched::open(bench, &request(bench)));
}

fn no_speed(bench: &dyn Bench) {
    let request = PortRequest {
        baud: 0,
        ..request(bench)
    };
    let error = bench.controller().open(&request).err().unwrap();
    let is_refused = matches!(error, Error::BaudRefused { asked: 0, .. });
    assert!(is_refused, "{error}");
}

/// A 16550 takes the request for 250000 baud, and runs at 9600.
fn fallback(bench: &dyn Bench) {
    let request = PortRequest {
        baud: 250_000,
        ..request(bench)
    };
    let error = bench.controller().open(&request).err().unwrap();
    let Error::BaudRefused { asked, got, .. } = error else {
        panic!("{error}");
    };
    assert!(asked == 250_000 && got != asked, "{got}");
    let supported = PortRequest {
        baud: 115_200,
        ..request
    };
    let opened = || bench.controller().open(&supported).is_ok();
    until("a speed that it has", || bench.pass(), opened);
}
