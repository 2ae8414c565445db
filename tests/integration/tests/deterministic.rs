//! Virtual time: the same board does the same, whatever the machine does.

use loopgate::Request;
use loopgate::board_file::ClockKind;
use loopgate_integration::{Random, board_of, driver, entry, guest, supervised, virtual_board};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn as_many_loops_as_there_are_have_their_turn_at_one_instant() {
    let blinks = (0..12).map(|number| {
        let rest = format!(
            "work-loop = \"dedicated\"\nconfig = {{ period-ms = \"1\" }}\n[driver.gpio]\n\
             led = {{ line = \"LED{number}\", direction = \"output\" }}"
        );
        entry(&format!("blink{number}"), &driver("blink"), &rest)
    });
    let board = virtual_board(blinks.collect::<String>());
    let changed = Arc::<Mutex<Vec<Duration>>>::default();
    let (seen, begun) = (changed.clone(), board.now());
    board.sim().observe(move |change| {
        let at = change.timestamp.saturating_since(begun);
        seen.lock().unwrap().push(at);
    });
    board.run_for(2 * MILLISECOND);
    let changed = changed.lock().unwrap();
    assert_eq!(changed.len(), 24);
    let exact = |at: &Duration| *at == MILLISECOND || *at == 2 * MILLISECOND;
    assert!(changed.iter().all(exact), "{changed:?}");
}

/// All that can be seen of a board with drivers that spin, die, come back and share
/// a loop, asked by a client what this seed says.
fn seen(seed: u64) -> String {
    let spins = "provides = [\"spins\"]\nconfig = { when = \"command\", service = \"spins\" }\n\
        restart = { budget = \"unlimited\", backoff = \"1 ms\" }\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let blink = "work-loop = \"dedicated\"\nconfig = { period-ms = \"3\" }\n[driver.gpio]\n\
        led = { line = \"LED\", direction = \"output\" }";
    let drivers = [
        entry("sleeper", &guest("probe_sleep"), "provides = [\"sleep\"]"),
        supervised("spins", &guest("hostile_spin"), spins),
        entry("blink", &driver("blink"), blink),
    ];
    let board = virtual_board(drivers.concat());
    let trace = Arc::<Mutex<String>>::default();
    let writes = trace.clone();
    board.sim().observe(move |change| {
        let _ = writeln!(
            writes.lock().unwrap(),
            "{:?} {} {}",
            change.timestamp,
            change.line,
            change.high
        );
    });
    let mut random = Random(seed);
    for _ in 0..40 {
        let (service, request) = match random.below(4) {
            0 => ("spins", Request::numbered(1)),
            1 => ("sleep", Request::named("wake").scalar(1)),
            2 => (
                "sleep",
                Request::named("next").scalar(1 + random.below(9) as u64),
            ),
            _ => ("sleep", Request::named("sleeping")),
        };
        let answer = board.call(service, request);
        let answer = answer.map(|reply| reply.scalar).map_err(|error| error.code);
        let _ = writeln!(trace.lock().unwrap(), "{:?} {answer:?}", board.now());
        board.run_for(random.below(3) as u32 * MILLISECOND);
    }
    board.stop();
    let mut all = trace.lock().unwrap().clone();
    for name in ["sleeper", "spins", "blink"] {
        let lines = board.logs(name, 0, Duration::ZERO, &loopgate::Cancel::default());
        for line in lines.unwrap() {
            let _ = writeln!(all, "{} {}", line.time_ns, line.text);
        }
    }
    all
}

#[test]
fn rule_17_one_seed_is_one_trace() {
    let first = seen(7);
    assert!(first.contains("handler-cpu"), "{first}");
    for _ in 0..10 {
        assert_eq!(seen(7), first);
    }
    assert_ne!(seen(8), first);
}

#[test]
fn submitted_requests_end_once_in_every_way() {
    let disk = "provides = [\"ram-block\"]\nconfig = { latency-ms = \"5\" }";
    let board = virtual_board(entry("disk", &driver("ram_block"), disk));
    let read = |timeout| {
        let request = Request::named("read");
        board.submit("ram-block", request, timeout).unwrap()
    };
    let (done, late, cancelled, died) = (
        read(None),
        read(Some(7 * MILLISECOND)),
        read(None),
        read(None),
    );
    board.run_for(4 * MILLISECOND);
    assert!(!done.is_over() && done.outcome().is_none());
    board.run_for(MILLISECOND);
    assert_eq!(done.outcome().unwrap().unwrap().scalar, 0);
    assert!(done.outcome().is_none() && !done.cancel());
    // It has been with the driver for a while, and is taken from it.
    assert_eq!(
        board.next_event(),
        Some(board.now().saturating_add(2 * MILLISECOND))
    );
    board.run_for(2 * MILLISECOND);
    assert_eq!(late.outcome(), Some(Err(loopgate::ErrorCode::TimedOut)));
    assert!(cancelled.cancel());
    assert_eq!(cancelled.outcome(), Some(Err(loopgate::ErrorCode::Aborted)));
    board.run_for(MILLISECOND);
    board.stop_driver("disk").unwrap();
    assert_eq!(died.outcome(), Some(Err(loopgate::ErrorCode::DriverDied)));
    let gone = board.submit("ram-block", Request::named("read"), None);
    assert!(gone.is_err_and(|error| error.code == loopgate::ErrorCode::NoDevice));
}

/// The order of what is seen of three loops that have something to do at one instant.
fn order(seed: Option<u64>) -> Vec<String> {
    let blinks = ["a", "b", "c"].map(|name| {
        let rest = format!(
            "work-loop = \"dedicated\"\nconfig = {{ period-ms = \"1\" }}\n[driver.gpio]\n\
             led = {{ line = \"{name}\", direction = \"output\" }}"
        );
        entry(name, &driver("blink"), &rest)
    });
    let board = board_of(blinks.concat(), ClockKind::Virtual);
    let board = match seed {
        Some(seed) => board.schedule(seed),
        None => board,
    };
    let board = board.build().unwrap();
    let order = Arc::<Mutex<Vec<String>>>::default();
    let writes = order.clone();
    board
        .sim()
        .observe(move |change| writes.lock().unwrap().push(change.line.to_owned()));
    board.run_for(10 * MILLISECOND);
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), 30);
    order
}

#[test]
fn rule_17_a_seed_draws_which_loop_goes_on() {
    assert_eq!(order(None)[..3], ["a", "b", "c"]);
    let orders: std::collections::BTreeSet<_> = (0..20).map(|seed| order(Some(seed))).collect();
    assert!(orders.len() > 10);
    assert_eq!(order(Some(3)), order(Some(3)));
}
