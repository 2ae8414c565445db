//! Chips that come and go.

use loopgate_devices::gpio::{Edges, Error};

use super::sink::{Listener, Told};
use super::{Bench, Case, input, output};
use crate::{Feature, until};

pub(super) const CASES: &[Case] = &[Case::with(
    "lines outlive their chip",
    Feature::Unplug,
    outlive,
)];

fn outlive(bench: &dyn Bench) {
    let (lamp, button) = (output(bench, 0, true), input(bench, 1));
    let listener = Listener::on(&button, Edges::Rising);
    let mut told = 0;
    for _ in 0..3 {
        bench.plug(false);
        let said = listener.wait(bench, told + 1);
        assert_eq!(said[told..], [Told::Lost(1)], "as it goes");
        assert!(matches!(button.is_high(), Err(Error::Gone { .. })));
        // Seen by who drives it at the latest when it is looked for.
        until("gone", || bench.pass(), || lamp.is_high().is_err());
        let gone = lamp.set(true).unwrap_err();
        assert!(matches!(gone, Error::Gone { .. }), "{gone}");
        bench.plug(true);
        let said = listener.wait(bench, told + 2);
        assert_eq!(said[told + 1..], [Told::Lost(1)], "as it comes");
        until("the lamp", || bench.pass(), || lamp.is_high().is_ok());
        assert!(bench.level(&bench.line(0)), "as it was left");
        bench.drive(&bench.line(1), true);
        let said = listener.wait(bench, told + 3);
        assert!(matches!(said[told + 2], Told::Occurred(edge) if edge.high));
        told += 3;
    }
}
