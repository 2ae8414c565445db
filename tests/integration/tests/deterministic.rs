//! Virtual time: the same board does the same, whatever the machine does.

use loopgate::Request;
use loopgate_integration::{Random, driver, entry, guest, supervised, virtual_board};
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
