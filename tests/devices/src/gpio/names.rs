//! Lines by the chip that they are on.

use loopgate_devices::gpio::{Direction, Error};

use super::{Bench, Case, input, open, request};
use crate::Feature;

pub(super) const CASES: &[Case] = &[
    Case::with("a line goes by its place, too", Feature::Chips, by_place),
    Case::with("a name of two lines is refused", Feature::Chips, twins),
];

fn by_place(bench: &dyn Bench) {
    let chips = bench.chips().unwrap();
    for name in [chips.place, chips.by_label] {
        let mut wanted = request(bench, 0, Direction::Input);
        wanted.line = name;
        let _line = open(bench, &wanted);
        let by_name = request(bench, 0, Direction::Input);
        let error = bench.controller().request(&by_name).err().unwrap();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
    }
    drop(input(bench, 0));
}

fn twins(bench: &dyn Bench) {
    let (twin, places) = bench.chips().unwrap().twin;
    let mut wanted = request(bench, 0, Direction::Input);
    wanted.line = twin;
    let error = bench.controller().request(&wanted).err().unwrap();
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    let listed = bench.controller().lines();
    for place in places {
        assert!(error.to_string().contains(&place), "{error}");
        assert!(listed.iter().any(|info| info.name == place), "{place}");
        wanted.line = place;
        drop(open(bench, &wanted));
    }
}
