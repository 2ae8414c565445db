//! Levels, and who has a line.

use loopgate_devices::gpio::{Bias, Direction, Drive, Edges, Error, GpioController};

use super::{Bench, CONSUMER, Case, input, open, output, request};

pub(super) const CASES: &[Case] = &[
    Case::new("an output reads back, inside and outside", reads_back),
    Case::new("active low turns everything over", active_low),
    Case::new("an input follows the outside", follows),
    Case::new("a bias pulls", bias),
    Case::new("an open drain lets go of the higher level", open_drain),
    Case::new("an open source lets go of the lower level", open_source),
    Case::new("an output made an input lets go", make_input),
    Case::new("a line has one holder, who is named", one_holder),
    Case::new("a dropped line is free", dropped),
    Case::new("mistakes are named", mistakes),
];

fn reads_back(bench: &dyn Bench) {
    let name = bench.line(0);
    for initial in [true, false] {
        let line = output(bench, 0, initial);
        assert_eq!(
            (bench.level(&name), line.is_high().unwrap()),
            (initial, initial)
        );
        for high in [true, true, false, true, false] {
            line.set(high).unwrap();
            assert_eq!((bench.level(&name), line.is_high().unwrap()), (high, high));
        }
    }
}

fn active_low(bench: &dyn Bench) {
    let mut wanted = request(bench, 0, Direction::Output { initial: true });
    wanted.active_low = true;
    let line = open(bench, &wanted);
    assert!(line.is_high().unwrap() && !bench.level(&wanted.line));
    line.set(false).unwrap();
    assert!(!line.is_high().unwrap() && bench.level(&wanted.line));
    let mut wanted = request(bench, 1, Direction::Input);
    wanted.active_low = true;
    let line = open(bench, &wanted);
    bench.drive(&wanted.line, true);
    assert!(!line.is_high().unwrap());
    bench.drive(&wanted.line, false);
    assert!(line.is_high().unwrap());
}

fn follows(bench: &dyn Bench) {
    let line = input(bench, 2);
    for high in [true, false, true] {
        bench.drive(&bench.line(2), high);
        assert_eq!(line.is_high().unwrap(), high);
    }
}

fn bias(bench: &dyn Bench) {
    for (bias, high) in [(Bias::PullUp, true), (Bias::PullDown, false)] {
        let mut wanted = request(bench, 3, Direction::Input);
        wanted.bias = bias;
        assert_eq!(open(bench, &wanted).is_high().unwrap(), high, "{bias:?}");
    }
}

fn open_drain(bench: &dyn Bench) {
    let mut wanted = request(bench, 0, Direction::Output { initial: true });
    wanted.drive = Drive::OpenDrain;
    wanted.bias = Bias::PullUp;
    let line = open(bench, &wanted);
    assert!(line.is_high().unwrap(), "the pull holds what is let go");
    bench.drive(&wanted.line, false);
    assert!(!line.is_high().unwrap(), "someone else holds the bus");
    bench.drive(&wanted.line, true);
    assert!(line.is_high().unwrap());
    line.set(false).unwrap();
    assert!(!bench.level(&wanted.line), "against the outside");
}

fn open_source(bench: &dyn Bench) {
    let mut wanted = request(bench, 0, Direction::Output { initial: false });
    wanted.drive = Drive::OpenSource;
    let line = open(bench, &wanted);
    bench.drive(&wanted.line, true);
    assert!(line.is_high().unwrap(), "someone else holds the bus");
    bench.drive(&wanted.line, false);
    assert!(!line.is_high().unwrap());
    line.set(true).unwrap();
    assert!(bench.level(&wanted.line), "against the outside");
}

fn make_input(bench: &dyn Bench) {
    let name = bench.line(0);
    bench.drive(&name, false);
    let line = output(bench, 0, true);
    assert!(bench.level(&name));
    line.make_input().unwrap();
    line.make_input().unwrap();
    for high in [true, false, true] {
        bench.drive(&name, high);
        assert_eq!((bench.level(&name), line.is_high().unwrap()), (high, high));
    }
    assert!(matches!(line.set(true), Err(Error::NotOutput { .. })));
    assert!(line.interrupt(Edges::Both).is_ok());
}

fn one_holder(bench: &dyn Bench) {
    let wanted = request(bench, 4, Direction::Input);
    let _line = open(bench, &wanted);
    let error = bench.controller().request(&wanted).err().unwrap();
    let expected = format!(
        "line `{}` is held by `{CONSUMER}`; stop that, or use another line",
        wanted.line
    );
    assert_eq!(error.to_string(), expected);
}

fn consumer(gpio: &dyn GpioController, line: &str) -> Option<String> {
    let mut lines = gpio.lines().into_iter();
    let info = lines.find(|info| info.name == line);
    info.expect("the line is listed").consumer
}

fn dropped(bench: &dyn Bench) {
    let (gpio, name) = (bench.controller(), bench.line(5));
    assert_eq!(consumer(&*gpio, &name), None);
    let line = input(bench, 5);
    let interrupt = line.interrupt(Edges::Both).unwrap();
    drop(line);
    assert_eq!(
        consumer(&*gpio, &name).as_deref(),
        Some(CONSUMER),
        "its interrupt keeps it"
    );
    drop(interrupt);
    assert_eq!(consumer(&*gpio, &name), None);
    drop(input(bench, 5));
}

fn mistakes(bench: &dyn Bench) {
    let mut wanted = request(bench, 0, Direction::Input);
    "NO-SUCH-LINE".clone_into(&mut wanted.line);
    let error = bench.controller().request(&wanted).err().unwrap();
    assert!(matches!(error, Error::NoLine { .. }), "{error}");
    let name = bench.line(0);
    assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    let line = input(bench, 0);
    assert!(matches!(line.set(true), Err(Error::NotOutput { .. })));
    let first = line.interrupt(Edges::Both).unwrap();
    let second = line.interrupt(Edges::Rising);
    assert!(matches!(second, Err(Error::HasInterrupt { .. })));
    drop(first);
    line.interrupt(Edges::Rising).unwrap();
    let line = output(bench, 1, false);
    let refused = line.interrupt(Edges::Both);
    assert!(matches!(refused, Err(Error::NotInput { .. })));
}
