//! Edges and levels on their way to a sink.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use loopgate_devices::gpio::{Direction, Edges};
use loopgate_devices::linux::EDGE_QUEUE;
use loopgate_workloop::{InterruptLine, InterruptSink, Occurrence};

use super::sink::{Listener, Slow, Told};
use super::{Bench, Case, input, open, request};
use crate::{Feature, LIMIT, called, until};

pub(super) const CASES: &[Case] = &[
    Case::new("each edge carries its number, time and level", carries),
    Case::new("only the edges asked for are counted", asked_for),
    Case::new("edges are logical", logical),
    Case::new("a line is off until it is registered and enabled", off),
    Case::new("an edge while disabled is forgotten", forgotten),
    Case::new("a level interrupts as it begins and as it is found", level),
    Case::new("a sink can switch its own line off", meddler),
    Case::new("disable and unregister wait for a running call", waits),
    Case::new("an interrupt can be replaced", replaced),
    Case::new("a bounce is one edge, debounced", debounce),
    Case::new("10,000 edges come in order", many),
    Case::with(
        "what overflows is counted, exactly",
        Feature::Queue,
        overflow,
    ),
    Case::with(
        "a backlog from before it was on is forgotten",
        Feature::Queue,
        backlog,
    ),
];

fn drive(bench: &dyn Bench, line: &str, levels: &[bool]) {
    for high in levels {
        bench.drive(line, *high);
    }
}

fn carries(bench: &dyn Bench) {
    let (line, name) = (input(bench, 0), bench.line(0));
    let listener = Listener::on(&line, Edges::Both);
    let mut before = bench.now();
    for (number, high) in [true, false, true].into_iter().enumerate() {
        bench.pass();
        bench.drive(&name, high);
        let told = listener.wait(bench, number + 1);
        let Told::Occurred(occurrence) = told[number] else {
            panic!("{told:?}");
        };
        let expected = (number as u64 + 1, high);
        assert_eq!((occurrence.sequence, occurrence.high), expected);
        let stamp = occurrence.timestamp;
        assert!(before <= stamp && stamp <= bench.now(), "{stamp}");
        before = stamp;
    }
}

fn asked_for(bench: &dyn Bench) {
    for (edges, high) in [(Edges::Rising, true), (Edges::Falling, false)] {
        let (line, name) = (input(bench, 1), bench.line(1));
        bench.drive(&name, false);
        let listener = Listener::on(&line, edges);
        drive(bench, &name, &[true, false, true, false]);
        assert_eq!(listener.edges(bench, 2), [(1, high), (2, high)]);
    }
}

fn logical(bench: &dyn Bench) {
    let mut wanted = request(bench, 2, Direction::Input);
    wanted.active_low = true;
    // Known beforehand, as by a board file.
    wanted.edges = Some(Edges::Rising);
    bench.drive(&wanted.line, true);
    let listener = Listener::on(&open(bench, &wanted), Edges::Rising);
    drive(bench, &wanted.line, &[false, true, false]);
    assert_eq!(listener.edges(bench, 2), [(1, true), (2, true)]);
}

fn off(bench: &dyn Bench) {
    let (line, name) = (input(bench, 3), bench.line(3));
    let listener = Listener::off(&line, Edges::Both);
    bench.drive(&name, true);
    let sink = Arc::new(super::sink::Sink::default());
    let twice = listener.line.register(sink);
    assert_eq!(twice, Err(loopgate_workloop::Error::NoResources));
    listener.line.enable();
    bench.drive(&name, false);
    assert_eq!(listener.edges(bench, 1), [(1, false)]);
}

fn forgotten(bench: &dyn Bench) {
    let (line, name) = (input(bench, 4), bench.line(4));
    let listener = Listener::on(&line, Edges::Both);
    bench.drive(&name, true);
    listener.wait(bench, 1);
    for _ in 0..2 {
        listener.line.disable();
        drive(bench, &name, &[false, true]);
    }
    listener.line.enable();
    listener.line.enable();
    bench.drive(&name, false);
    assert_eq!(listener.edges(bench, 2), [(1, true), (2, false)]);
}

fn level(bench: &dyn Bench) {
    for (edges, active) in [(Edges::HighLevel, true), (Edges::LowLevel, false)] {
        let (line, name) = (input(bench, 5), bench.line(5));
        bench.drive(&name, !active);
        let listener = Listener::on(&line, edges);
        bench.drive(&name, active);
        assert_eq!(listener.edges(bench, 1), [(1, active)]);
        listener.line.disable();
        listener.line.enable();
        assert_eq!(listener.edges(bench, 2)[1], (2, active), "still there");
        listener.line.enable();
        assert_eq!(listener.edges(bench, 3)[2], (3, active), "looked at again");
        listener.line.disable();
        drive(bench, &name, &[!active, active, !active]);
        listener.line.enable();
        assert_eq!(listener.count(), 3, "gone before anyone looked");
        bench.drive(&name, active);
        assert_eq!(listener.edges(bench, 4)[3], (4, active));
    }
}

/// Switches its own line off, from inside the call.
#[derive(Default)]
struct Meddler {
    line: OnceLock<Arc<dyn InterruptLine>>,
    calls: AtomicU64,
}

impl InterruptSink for Meddler {
    fn interrupt_occurred(&self, _: Occurrence) {
        self.line.get().unwrap().disable();
        self.calls.fetch_add(1, Ordering::SeqCst);
        called();
    }

    fn occurrences_lost(&self, _: u32) {}
}

fn meddler(bench: &dyn Bench) {
    for edges in [Edges::Both, Edges::HighLevel] {
        let name = bench.line(6);
        bench.drive(&name, false);
        let line = input(bench, 6).interrupt(edges).unwrap();
        let sink = Arc::new(Meddler::default());
        assert!(sink.line.set(line.clone()).is_ok());
        line.register(sink.clone()).unwrap();
        line.enable();
        drive(bench, &name, &[true, false, true]);
        let calls = || sink.calls.load(Ordering::SeqCst);
        until("the call", || bench.pass(), || calls() == 1);
        line.enable();
        let edges_since = usize::from(edges == Edges::Both);
        drive(bench, &name, &[false, true][..edges_since]);
        until("the second call", || bench.pass(), || calls() == 2);
        line.unregister();
    }
}

fn waits(bench: &dyn Bench) {
    let off: [fn(&dyn InterruptLine); 2] = [|line| line.disable(), |line| line.unregister()];
    for off in off {
        let name = bench.line(7);
        bench.drive(&name, false);
        let line = input(bench, 7).interrupt(Edges::Rising).unwrap();
        let (sink, held) = Slow::new();
        line.register(sink.clone()).unwrap();
        line.enable();
        thread::scope(|scope| {
            // On a simulated board this is the thread that is in the sink.
            scope.spawn(|| bench.drive(&name, true));
            held.entered.recv_timeout(LIMIT).unwrap();
            let remover = scope.spawn(|| {
                off(&*line);
                sink.told.lock().len()
            });
            held.leave.send(()).unwrap();
            assert_eq!(remover.join().unwrap(), 1, "off while the sink was called");
        });
        line.unregister();
    }
}

fn replaced(bench: &dyn Bench) {
    let (line, name) = (input(bench, 0), bench.line(0));
    for (edges, high) in [(Edges::Rising, true), (Edges::Falling, false)] {
        let listener = Listener::on(&line, edges);
        drive(bench, &name, &[true, false]);
        assert_eq!(listener.edges(bench, 1), [(1, high)]);
    }
    let listener = Listener::on(&line, Edges::Both);
    drive(bench, &name, &[true, false]);
    assert_eq!(listener.edges(bench, 2), [(1, true), (2, false)]);
}

fn debounce(bench: &dyn Bench) {
    let span = Duration::from_millis(50);
    let mut wanted = request(bench, 1, Direction::Input);
    wanted.edges = Some(Edges::Both);
    wanted.debounce = Some(span);
    let line = open(bench, &wanted);
    let listener = Listener::on(&line, Edges::Both);
    for (number, high) in [true, false, true].into_iter().enumerate() {
        let began = bench.now();
        drive(bench, &wanted.line, &[high, !high, high, !high, high]);
        assert_eq!(line.is_high().unwrap(), !high, "not stable yet");
        let edges = listener.edges(bench, number + 1);
        assert_eq!(edges.len(), number + 1);
        assert_eq!(edges[number], (number as u64 + 1, high));
        assert_eq!(line.is_high().unwrap(), high);
        let took = bench.now().saturating_since(began);
        assert!(took >= span, "{took:?}");
    }
}

/// Edges that are made one after the other, as fast as the bench makes them.
fn toggle(bench: &dyn Bench, line: &str, count: u32) {
    (0..count).for_each(|number| bench.drive(line, number % 2 == 0));
}

fn many(bench: &dyn Bench) {
    const EDGES: u32 = 10_000;
    /// Fewer than the kernel keeps, with somebody to read them meanwhile.
    const BURST: u32 = 1_000;
    let (line, name) = (input(bench, 2), bench.line(2));
    let listener = Listener::on(&line, Edges::Both);
    for burst in 1..=EDGES / BURST {
        toggle(bench, &name, BURST);
        listener.wait(bench, (burst * BURST) as usize);
    }
    let edges = listener.edges(bench, EDGES as usize);
    let expected = (1..=u64::from(EDGES)).map(|number| (number, number % 2 == 1));
    assert!(edges.into_iter().eq(expected), "out of order");
}

fn overflow(bench: &dyn Bench) {
    const EDGES: u32 = 10_000;
    let (line, name) = (input(bench, 3), bench.line(3));
    let line = line.interrupt(Edges::Both).unwrap();
    let (sink, held) = Slow::new();
    line.register(sink.clone()).unwrap();
    line.enable();
    bench.drive(&name, true);
    held.entered.recv_timeout(LIMIT).unwrap();
    // Nobody reads them.
    (0..EDGES).for_each(|number| bench.drive(&name, number % 2 == 1));
    held.leave.send(()).unwrap();
    let all = 2 + EDGE_QUEUE as usize;
    until(
        "the rest",
        || bench.pass(),
        || sink.told.lock().len() >= all,
    );
    let told = sink.told.lock().clone();
    assert_eq!(told.len(), all);
    assert_eq!(told[1], Told::Lost(EDGES - EDGE_QUEUE));
    let last = u64::from(EDGES) + 1;
    for (told, number) in told[2..].iter().zip(last - u64::from(EDGE_QUEUE) + 1..) {
        let Told::Occurred(occurrence) = told else {
            panic!("{told:?}");
        };
        let high = number % 2 == 1;
        assert_eq!((occurrence.sequence, occurrence.high), (number, high));
    }
}

fn backlog(bench: &dyn Bench) {
    let (line, name) = (input(bench, 4), bench.line(4));
    let listener = Listener::on(&line, Edges::Both);
    for round in 0..2 {
        listener.line.disable();
        toggle(bench, &name, 2 * EDGE_QUEUE);
        listener.line.enable();
        drive(bench, &name, &[true, false]);
        let edges = listener.edges(bench, 2 * (round + 1));
        let number = 2 * round as u64;
        assert_eq!(
            edges[2 * round..],
            [(number + 1, true), (number + 2, false)]
        );
    }
}
