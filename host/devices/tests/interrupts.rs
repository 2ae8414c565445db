//! Edges and levels on their way to a sink. Tests named `rule_` and `race_` are
//! after group G and the races of the catalogue (see `host/workloop/tests/README.md`).

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use common::{Fixture, Sink, at, listen};
use loopgate_devices::gpio::{Direction, Edges, Error, GpioController, LineRequest};
use loopgate_workloop::{
    Context, EventSource, InterruptEventSource, InterruptLine, InterruptSink, Occurrence, Trigger,
    Verdict, VirtualClock, WorkLoop,
};

/// How long a test waits for what happens at once.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn each_edge_carries_its_number_time_and_level() {
    let fixture = Fixture::new();
    let line = fixture.input("up");
    let (interrupt, sink) = listen(&line, Edges::Both);
    assert_eq!(interrupt.trigger(), Trigger::Edge);
    for (nanos, high) in [(5, false), (9, true), (9, true), (12, false)] {
        fixture.run_to(nanos);
        fixture.board.set("up", high).unwrap();
    }
    assert_eq!(sink.take(), [(1, 5, false), (2, 9, true), (3, 12, false)]);
}

#[test]
fn only_the_edges_asked_for_are_counted() {
    for (edges, expected) in [
        (Edges::Rising, [(1, 0, true), (2, 0, true)]),
        (Edges::Falling, [(1, 0, false), (2, 0, false)]),
    ] {
        let fixture = Fixture::new();
        let line = fixture.input("down");
        let (_interrupt, sink) = listen(&line, edges);
        for high in [true, false, true, false] {
            fixture.board.set("down", high).unwrap();
        }
        assert_eq!(sink.take(), expected);
    }
}

#[test]
fn an_active_low_line_rises_when_its_voltage_falls() {
    let fixture = Fixture::new();
    let mut request = LineRequest::new("up", "test", Direction::Input);
    request.active_low = true;
    let line = fixture.board.request(&request).unwrap();
    let (_interrupt, sink) = listen(&line, Edges::Rising);
    fixture.board.set("up", false).unwrap();
    fixture.board.set("up", true).unwrap();
    assert_eq!(sink.take(), [(1, 0, true)]);
}

#[test]
fn rule_088_an_edge_while_disabled_is_forgotten_and_takes_no_number() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let (interrupt, sink) = listen(&line, Edges::Both);
    fixture.board.set("down", true).unwrap();
    interrupt.disable();
    interrupt.disable();
    fixture.board.set("down", false).unwrap();
    interrupt.enable();
    interrupt.enable();
    assert_eq!(sink.take(), [(1, 0, true)], "nothing was latched");
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take(), [(2, 0, true)]);
}

#[test]
fn rule_084_a_line_is_off_until_it_is_registered_and_enabled() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let interrupt = line.interrupt(Edges::Both).unwrap();
    let sink = Arc::new(Sink::default());
    interrupt.register(sink.clone()).unwrap();
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take(), []);
    let twice = interrupt.register(sink.clone());
    assert_eq!(twice, Err(loopgate_workloop::Error::NoResources));
    interrupt.enable();
    interrupt.unregister();
    interrupt.register(sink.clone()).unwrap();
    fixture.board.set("down", false).unwrap();
    assert_eq!(sink.take(), [], "off again after it was registered again");
}

#[test]
fn rule_085_calls_on_a_line_that_nobody_registered_do_nothing() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let interrupt = line.interrupt(Edges::Both).unwrap();
    let sink = Arc::new(Sink::default());
    for level in [true, false] {
        interrupt.enable();
        interrupt.disable();
        interrupt.enable();
        interrupt.register(sink.clone()).unwrap();
        fixture.board.set("down", level).unwrap();
        assert_eq!(sink.take(), [], "it is off, whatever was called before");
        interrupt.enable();
        interrupt.unregister();
        interrupt.unregister();
    }
}

#[test]
fn a_line_has_one_interrupt_at_a_time() {
    let fixture = Fixture::new();
    let line = fixture.input("up");
    let interrupt = line.interrupt(Edges::Both).unwrap();
    assert!(matches!(
        line.interrupt(Edges::Rising),
        Err(Error::HasInterrupt { .. })
    ));
    drop(interrupt);
    line.interrupt(Edges::Rising).unwrap();
}

#[test]
fn an_interrupt_keeps_its_line_open() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let (interrupt, sink) = listen(&line, Edges::Both);
    drop(line);
    assert_eq!(fixture.board.lines()[1].consumer.as_deref(), Some("test"));
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take().len(), 1);
    drop(interrupt);
    assert_eq!(fixture.board.lines()[1].consumer, None);
    fixture.board.set("down", false).unwrap();
    assert_eq!((sink.take(), Arc::strong_count(&sink)), (vec![], 1));
}

/// Does something to its own line from inside the call.
struct Meddler<F> {
    line: OnceLock<Arc<dyn InterruptLine>>,
    calls: AtomicU64,
    act: F,
}

impl<F: Fn(&dyn InterruptLine) + Send + Sync> InterruptSink for Meddler<F> {
    fn interrupt_occurred(&self, _: Occurrence) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.act)(&**self.line.get().unwrap());
    }

    fn occurrences_lost(&self, _: u32) {}
}

fn calls_of_a_sink_that(act: impl Fn(&dyn InterruptLine) + Send + Sync + 'static) -> u64 {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let interrupt = line.interrupt(Edges::Both).unwrap();
    let sink = Arc::new(Meddler {
        line: OnceLock::new(),
        calls: AtomicU64::new(0),
        act,
    });
    assert!(sink.line.set(interrupt.clone()).is_ok());
    interrupt.register(sink.clone()).unwrap();
    interrupt.enable();
    for high in [true, false, true] {
        fixture.board.set("down", high).unwrap();
    }
    interrupt.unregister();
    sink.calls.load(Ordering::Relaxed)
}

#[test]
fn rule_086_a_sink_can_switch_its_own_line_off() {
    assert_eq!(calls_of_a_sink_that(|line| line.disable()), 1);
    assert_eq!(calls_of_a_sink_that(|line| line.unregister()), 1);
    assert_eq!(calls_of_a_sink_that(|line| line.enable()), 3);
}

#[test]
fn rule_087_switching_on_and_off_is_not_counted() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let (interrupt, sink) = listen(&line, Edges::Both);
    for _ in 0..3 {
        interrupt.disable();
    }
    interrupt.enable();
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take(), [(1, 0, true)]);
}

#[test]
fn rule_088_a_level_interrupts_when_it_begins_and_when_it_is_found() {
    for (edges, active) in [(Edges::HighLevel, true), (Edges::LowLevel, false)] {
        let fixture = Fixture::new();
        let line = fixture.input("float");
        fixture.board.set("float", !active).unwrap();
        let (interrupt, sink) = listen(&line, edges);
        assert_eq!(interrupt.trigger(), Trigger::Level);
        assert_eq!(sink.take(), []);
        fixture.board.set("float", active).unwrap();
        fixture.board.set("float", !active).unwrap();
        assert_eq!(sink.take(), [(1, 0, active)]);
        interrupt.disable();
        fixture.board.set("float", active).unwrap();
        assert_eq!(sink.take(), []);
        interrupt.enable();
        assert_eq!(sink.take(), [(2, 0, active)], "still there");
        interrupt.disable();
        fixture.board.set("float", !active).unwrap();
        interrupt.enable();
        assert_eq!(sink.take(), [], "gone before anyone looked");
    }
}

#[test]
fn race_x14_a_level_whose_sink_leaves_it_on_is_quiet_until_it_is_looked_at() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let (interrupt, sink) = listen(&line, Edges::HighLevel);
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take(), [(1, 0, true)], "once, not for ever");
    interrupt.enable();
    assert_eq!(sink.take(), [(2, 0, true)]);
}

#[test]
fn a_sink_can_switch_its_own_level_off() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let interrupt = line.interrupt(Edges::HighLevel).unwrap();
    let sink = Arc::new(Meddler {
        line: OnceLock::new(),
        calls: AtomicU64::new(0),
        act: |line: &dyn InterruptLine| line.disable(),
    });
    assert!(sink.line.set(interrupt.clone()).is_ok());
    interrupt.register(sink.clone()).unwrap();
    fixture.board.set("down", true).unwrap();
    for calls in 1..3 {
        interrupt.enable();
        assert_eq!(sink.calls.load(Ordering::Relaxed), calls);
    }
    interrupt.unregister();
}

#[test]
fn what_disable_overtakes_leaves_no_gap() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let (interrupt, sink) = listen(&line, Edges::Both);
    // The observer comes before the sink: it makes two edges and switches the
    // line off and on between them and their delivery.
    let observer = fixture.board.observe({
        let (board, interrupt) = (fixture.board.clone(), interrupt.clone());
        let once = AtomicBool::new(true);
        move |_| {
            if once.swap(false, Ordering::Relaxed) {
                board.set("down", false).unwrap();
                interrupt.disable();
                interrupt.enable();
            }
        }
    });
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take(), []);
    fixture.board.set("down", true).unwrap();
    assert_eq!(sink.take(), [(1, 0, true)]);
    fixture.board.unobserve(observer);
}

#[test]
fn a_sinks_last_owner_may_be_the_board() {
    struct Last(Arc<dyn InterruptLine>);
    impl InterruptSink for Last {
        fn interrupt_occurred(&self, _: Occurrence) {
            self.0.unregister();
        }
        fn occurrences_lost(&self, _: u32) {}
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.unregister();
        }
    }
    let fixture = Fixture::new();
    let interrupt = fixture.input("down").interrupt(Edges::Both).unwrap();
    interrupt
        .register(Arc::new(Last(interrupt.clone())))
        .unwrap();
    interrupt.enable();
    fixture.board.set("down", true).unwrap();
    drop(interrupt);
    assert_eq!(
        fixture.board.lines()[1].consumer,
        None,
        "everything was dropped"
    );
}

/// Stays in its first call until it is told to leave.
struct Slow {
    entered: mpsc::Sender<()>,
    leave: parking_lot::Mutex<mpsc::Receiver<()>>,
    left: AtomicBool,
}

impl InterruptSink for Slow {
    fn interrupt_occurred(&self, _: Occurrence) {
        self.entered.send(()).unwrap();
        self.leave.lock().recv_timeout(PATIENCE).unwrap();
        self.left.store(true, Ordering::SeqCst);
    }

    fn occurrences_lost(&self, _: u32) {}
}

fn off_waits_for_a_running_call(off: impl Fn(&dyn InterruptLine) + Send + 'static) {
    let fixture = Fixture::new();
    let (entered, has_entered) = mpsc::channel();
    let (let_leave, leave) = mpsc::channel();
    let slow = Slow {
        entered,
        leave: leave.into(),
        left: AtomicBool::new(false),
    };
    let sink = Arc::new(slow);
    let interrupt = fixture.input("down").interrupt(Edges::Both).unwrap();
    interrupt.register(sink.clone()).unwrap();
    interrupt.enable();
    let board = fixture.board.clone();
    let caller = thread::spawn(move || board.set("down", true).unwrap());
    has_entered.recv_timeout(PATIENCE).unwrap();
    let (went_in, goes_in) = mpsc::channel();
    let remover = thread::spawn(move || {
        went_in.send(()).unwrap();
        off(&*interrupt);
        sink.left.load(Ordering::SeqCst)
    });
    goes_in.recv_timeout(PATIENCE).unwrap();
    // The remover is in `off` now, or soon; either way it must see the end.
    let_leave.send(()).unwrap();
    assert!(
        remover.join().unwrap(),
        "switched off while the sink was being called"
    );
    caller.join().unwrap();
}

#[test]
fn rule_086_unregister_and_disable_wait_for_a_running_call() {
    for _ in 0..200 {
        off_waits_for_a_running_call(|line| line.unregister());
        off_waits_for_a_running_call(|line| line.disable());
    }
}

/// As [`off_waits_for_a_running_call`], where the sink is a source that asks a
/// filter: the filter can use its source's line meanwhile.
#[test]
fn race_x13_a_line_unregistered_while_its_filter_runs() {
    let fixture = Fixture::new();
    let interrupt = fixture.input("down").interrupt(Edges::Both).unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (let_leave, leave) = mpsc::channel::<()>();
    let leave = parking_lot::Mutex::new(leave);
    let left = Arc::new(AtomicBool::new(false));
    let (in_filter, has_left) = (interrupt.clone(), left.clone());
    let filter = move |_, _| {
        entered.send(()).unwrap();
        leave.lock().recv_timeout(PATIENCE).unwrap();
        in_filter.disable();
        has_left.store(true, Ordering::SeqCst);
        Ok(Verdict::Mine)
    };
    let source =
        InterruptEventSource::filtered(interrupt.clone(), 4, Arc::new(filter), None).unwrap();
    let cx = Context::detached("driver");
    let work_loop = WorkLoop::new(Arc::new(VirtualClock::new()));
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    source.enable(&cx);
    let board = fixture.board.clone();
    let caller = thread::spawn(move || board.set("down", true).unwrap());
    has_entered.recv_timeout(PATIENCE).unwrap();
    let (went_in, goes_in) = mpsc::channel();
    let remover = thread::spawn(move || {
        went_in.send(()).unwrap();
        interrupt.unregister();
        left.load(Ordering::SeqCst)
    });
    goes_in.recv_timeout(PATIENCE).unwrap();
    let_leave.send(()).unwrap();
    assert!(remover.join().unwrap(), "unregistered while the filter ran");
    caller.join().unwrap();
}

#[test]
fn threads_that_meet_lose_and_double_nothing() {
    const TOGGLES: u64 = 2_000;
    let fixture = Fixture::new();
    let (up, down) = (fixture.input("up"), fixture.input("down"));
    let (_up, up_sink) = listen(&up, Edges::Both);
    let (_down, down_sink) = listen(&down, Edges::Both);
    thread::scope(|scope| {
        for line in ["up", "down", "up", "down"] {
            let board = &fixture.board;
            scope.spawn(move || {
                for n in 0..TOGGLES {
                    board.set(line, n % 2 == 0).unwrap();
                }
            });
        }
    });
    let counted = fixture
        .board
        .show()
        .iter()
        .map(|state| state.edges)
        .collect::<Vec<_>>();
    for (sink, edges) in [(up_sink, counted[0]), (down_sink, counted[1])] {
        let seen = sink.take();
        assert_eq!(seen.len() as u64, edges);
        assert!(
            seen.iter()
                .zip(1..)
                .all(|((sequence, ..), n)| *sequence == n)
        );
        assert!(
            seen.windows(2).all(|pair| pair[0].2 != pair[1].2),
            "levels alternate"
        );
    }
}

#[test]
fn a_panicking_observer_leaves_the_board_usable() {
    let fixture = Fixture::new();
    let line = fixture.input("down");
    let (_interrupt, sink) = listen(&line, Edges::Both);
    let observer = fixture.board.observe(|_| panic!("on purpose"));
    let board = fixture.board.clone();
    assert!(
        thread::spawn(move || board.set("down", true))
            .join()
            .is_err()
    );
    fixture.board.unobserve(observer);
    fixture.board.set("down", false).unwrap();
    assert_eq!(
        sink.take(),
        [(1, 0, true), (2, 0, false)],
        "the first one was only late"
    );
    fixture.board.play("down", [(at(1), true)]).unwrap();
    fixture.run_to(1);
    assert_eq!(sink.take(), [(3, 1, true)]);
}
