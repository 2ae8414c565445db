//! Reports to be shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use loopgate::devices::capture::{self, Capture};
use loopgate::workloop::Instant;
use loopgate_conform::Report;
use loopgate_conform::report::{
    CheckResult, Failure, Moment, MomentKind, Outcome, SCHEMA, ScenarioResult, Wave,
};

const MS: u64 = 1_000_000;

/// Everything that there is to show.
pub(crate) fn mixed() -> Report {
    let mut scenarios = vec![toggles(), press(), reply()];
    scenarios.extend(infrared().into_iter().chain(keyboard()));
    report("button-led", checks(), scenarios)
}

pub(crate) fn empty() -> Report {
    report("blink", Vec::new(), Vec::new())
}

pub(crate) fn conforming() -> Report {
    let mut checks = checks();
    checks.retain(|check| !matches!(check.outcome, Outcome::Failed(_)));
    report("blink", checks, vec![toggles()])
}

/// With `text` wherever a driver or a file may have chosen it.
pub(crate) fn hostile(text: &str) -> Report {
    let failure = Failure {
        message: text.to_owned(),
        evidence: vec![text.to_owned()],
        schedule: Vec::new(),
        scenario: Some(text.to_owned()),
    };
    let mut checks = checks();
    checks[0].outcome = Outcome::Failed(failure.clone());
    checks[1].outcome = Outcome::Skipped {
        why: text.to_owned(),
    };
    let kinds = [
        MomentKind::Done,
        MomentKind::Seen,
        MomentKind::Met,
        MomentKind::Missed,
    ];
    let timeline = kinds.map(|kind| moment(MS, kind, text));
    let wave = wave(true, &[MS, 2 * MS]);
    let scenario = ScenarioResult {
        name: text.to_owned(),
        title: text.to_owned(),
        file: text.to_owned(),
        outcome: Outcome::Failed(failure),
        timeline: timeline.into(),
        waves: BTreeMap::from([(text.to_owned(), wave)]),
        length_ns: 5 * MS,
    };
    let mut report = report(text, checks, vec![scenario]);
    text.clone_into(&mut report.component);
    report
}

/// A line with so many edges, from microseconds apart to seconds.
pub(crate) fn busy(edges: u64) -> Report {
    let gaps = (1..=edges).map(|n| 1000 << ((n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59) % 21));
    let changes = gaps.scan(0, |at, gap: u64| {
        *at += gap;
        Some(*at)
    });
    let changes: Vec<u64> = changes.collect();
    let mut scenario = toggles();
    scenario.length_ns = changes.last().copied().unwrap_or(0);
    scenario
        .waves
        .insert("GPIO4".to_owned(), wave(false, &changes));
    report("busy", Vec::new(), vec![scenario])
}

/// What no board does, but a file might say.
pub(crate) fn extreme() -> Report {
    let scenarios = [0, 1, u64::MAX].into_iter().flat_map(|end| {
        let mut scenario = press();
        scenario.length_ns = end;
        let mut bare = scenario.clone();
        bare.timeline.clear();
        scenario
            .waves
            .insert(String::new(), wave(true, &[0, end / 2, end]));
        [scenario, bare]
    });
    report("extreme", Vec::new(), scenarios.collect())
}

/// A real remote control, 10.8 s of bursts; nothing where the recordings are absent.
fn infrared() -> Option<ScenarioResult> {
    let capture = recording("tv_matsui_0001_buttons_1234567890_hold.sr")?;
    let ir = played(&capture, "IR Toy IRRX");
    let mut timeline = vec![moment(0, MomentKind::Done, "plays the recording into IR")];
    let pairs = ir.changes_ns.windows(2);
    let ends = pairs.filter(|pair| pair[1] - pair[0] > 20 * MS);
    for (nth, end) in ends.enumerate() {
        timeline.push(moment(end[0], MomentKind::Seen, "log: repeat code"));
        if nth % 6 == 0 {
            let text = format!("log contains `key {nth}`");
            timeline.push(moment(end[0], MomentKind::Met, &text));
        }
    }
    Some(ScenarioResult {
        name: "remote".to_owned(),
        title: "Ten keys of a remote control are decoded".to_owned(),
        file: "sample-drivers/ir-nec/conform/remote.toml".to_owned(),
        outcome: Outcome::Passed,
        timeline,
        waves: BTreeMap::from([("IR".to_owned(), ir)]),
        length_ns: capture.length().as_nanos() as u64,
    })
}

/// A real keyboard, two lines at microseconds; nothing where the recordings are absent.
fn keyboard() -> Option<ScenarioResult> {
    let capture = recording("ps2_keyboard_asdfgh.sr")?;
    let names: Vec<String> = capture.channels().map(str::to_owned).collect();
    let waves = names.into_iter().map(|name| {
        let wave = played(&capture, &name);
        (name, wave)
    });
    let waves: BTreeMap<_, _> = waves
        .filter(|(_, wave)| !wave.changes_ns.is_empty())
        .collect();
    let edges = waves.values().flat_map(|wave| &wave.changes_ns);
    let middle = edges.max().map_or(0, |last| last / 2);
    let length_ns = capture.length().as_nanos() as u64;
    let missed = "log contains `s` within 10 ms";
    Some(ScenarioResult {
        name: "types".to_owned(),
        title: "Six keys are typed".to_owned(),
        file: "sample-drivers/ps2-keyboard/conform/types.toml".to_owned(),
        outcome: Outcome::Failed(Failure {
            message: "expected a log line with `s`; there was none".to_owned(),
            evidence: Vec::new(),
            schedule: Vec::new(),
            scenario: None,
        }),
        timeline: vec![moment(middle, MomentKind::Missed, missed)],
        waves,
        length_ns,
    })
}

fn recording(file: &str) -> Option<Capture> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/logic");
    let path = data.join(file);
    if !path.exists() {
        eprintln!("SKIPPED: `../shared/data/logic/{file}` is absent");
        return None;
    }
    Some(capture::open(path).unwrap())
}

fn played(capture: &Capture, channel: &str) -> Wave {
    let mut edges = capture.edges(channel, false, Instant::ZERO).unwrap();
    let (_, initial) = edges.next().unwrap();
    Wave {
        initial,
        changes_ns: edges.map(|(at, _)| at.as_nanos()).collect(),
    }
}

/// A lamp that blinks as it should.
fn toggles() -> ScenarioResult {
    let changes: Vec<u64> = (1..=8).map(|n| n * 500 * MS).collect();
    let mut timeline = vec![moment(0, MomentKind::Done, "starts the driver")];
    for &change in &changes {
        timeline.push(moment(change, MomentKind::Seen, "GPIO27 changes"));
    }
    timeline.push(moment(
        1000 * MS,
        MomentKind::Met,
        "pulse on GPIO27 of 500 ms",
    ));
    timeline.sort_by_key(|moment| moment.at_ns);
    ScenarioResult {
        name: "blinks".to_owned(),
        title: "The lamp blinks once a second".to_owned(),
        file: "sample-drivers/blink/conform/blinks.toml".to_owned(),
        outcome: Outcome::Passed,
        timeline,
        waves: BTreeMap::from([("GPIO27".to_owned(), wave(false, &changes))]),
        length_ns: 4_200 * MS,
    }
}

/// A button that bounces, and a lamp that stays dark at the second press.
fn press() -> ScenarioResult {
    let us = |times: &[u64]| times.iter().map(|time| time * 1000).collect::<Vec<_>>();
    let button = us(&[
        10_000, 10_220, 10_410, 10_800, 11_000, 210_000, 210_300, 210_700, 400_000, 400_150,
        400_600, 600_000,
    ]);
    let lamp = us(&[31_000]);
    let mut timeline = vec![
        moment(10 * MS, MomentKind::Done, "set GPIO17 low"),
        moment(31 * MS, MomentKind::Met, "GPIO27 high within 30 ms"),
        moment(
            31 * MS + 1,
            MomentKind::Seen,
            "log: pressed, the lamp is on",
        ),
        moment(210 * MS, MomentKind::Done, "set GPIO17 high"),
        moment(400 * MS, MomentKind::Done, "set GPIO17 low"),
        moment(
            430 * MS,
            MomentKind::Missed,
            "GPIO27 low within 30 ms: it stayed high",
        ),
        moment(600 * MS, MomentKind::Done, "set GPIO17 high"),
        moment(640 * MS, MomentKind::Met, "service button-led, presses: 2"),
    ];
    for (line, changes) in [("GPIO17", &button), ("GPIO27", &lamp)] {
        for &change in changes {
            timeline.push(moment(change, MomentKind::Seen, &format!("{line} changes")));
        }
    }
    timeline.sort_by_key(|moment| moment.at_ns);
    let failure = Failure {
        message: "expected GPIO27 low by 430 ms, within 30 ms; it was high since 31 ms".to_owned(),
        evidence: vec![
            "step 5, press.toml:24".to_owned(),
            "  expected  GPIO27 low  400 ms .. 430 ms".to_owned(),
            "  seen      GPIO27 high since 31 ms".to_owned(),
        ],
        schedule: Vec::new(),
        scenario: None,
    };
    ScenarioResult {
        name: "press".to_owned(),
        title: "A press turns the lamp on, the next one turns it off".to_owned(),
        file: "sample-drivers/button-led/conform/press.toml".to_owned(),
        outcome: Outcome::Failed(failure),
        timeline,
        waves: BTreeMap::from([
            ("GPIO17".to_owned(), wave(true, &button)),
            ("GPIO27".to_owned(), wave(false, &lamp)),
        ]),
        length_ns: 1000 * MS,
    }
}

/// One without lines.
fn reply() -> ScenarioResult {
    let failure = Failure {
        message: "expected the bytes `0d 0a` by 1 s, within 500 ms; none came".to_owned(),
        evidence: Vec::new(),
        schedule: Vec::new(),
        scenario: None,
    };
    let timeline = vec![
        moment(0, MomentKind::Done, "feeds `hello` into `echo`"),
        moment(1_200_345, MomentKind::Seen, "sent `68 65 6c 6c 6f`"),
        moment(1000 * MS, MomentKind::Missed, "sent `0d 0a`"),
    ];
    ScenarioResult {
        name: "reply".to_owned(),
        title: "A line is sent back with its end".to_owned(),
        file: "sample-drivers/serial-echo/conform/reply.toml".to_owned(),
        outcome: Outcome::Failed(failure),
        timeline,
        waves: BTreeMap::new(),
        length_ns: 1000 * MS,
    }
}

fn checks() -> Vec<CheckResult> {
    let failure = Failure {
        message: "the timer `debounce` called its handler 20 ms after `stop` had returned".to_owned(),
        evidence: vec![
            "   0 s   start".to_owned(),
            "  10 ms  interrupt `button` -> set-timeout `debounce` 20 ms".to_owned(),
            "  15 ms  stop".to_owned(),
            "  30 ms  timer `debounce` -> gpio.write GPIO27 high".to_owned(),
        ],
        schedule: Vec::new(),
        scenario: Some(
            "title = \"A timer outlives its driver\"\n\n[[step]]\nat = \"10 ms\"\n\
             set = { line = \"GPIO17\", level = \"low\" }\n\n[[step]]\nat = \"15 ms\"\nstop = true\n"
                .to_owned(),
        ),
    };
    let skipped = Outcome::Skipped {
        why: "it publishes no service".to_owned(),
    };
    vec![
        check(
            "loads",
            "It loads in the world that it claims",
            Outcome::Passed,
            1,
        ),
        check(
            "stops-again",
            "It starts and stops from every state that it reaches",
            Outcome::Passed,
            212,
        ),
        check(
            "silent-timers",
            "A timer that was cancelled inside the gate stays silent",
            Outcome::Failed(failure),
            40,
        ),
        check(
            "answers-once",
            "Every request is answered once, in every order of completion, cancel and deadline",
            skipped,
            0,
        ),
        check(
            "leaks-nothing",
            "Over 1,000 starts and stops it keeps no source, line, request or memory",
            Outcome::Passed,
            1000,
        ),
    ]
}

fn check(id: &'static str, title: &'static str, outcome: Outcome, runs: u64) -> CheckResult {
    CheckResult {
        id,
        rule: 17,
        title,
        explanation: "The driver is started, its inputs are played until each timer is set, and it \
                      is stopped at every event in between; whatever it does later is counted.",
        remedy: "cancel each timer in `stop`, or drop its source, which cancels it",
        outcome,
        runs,
    }
}

fn report(driver: &str, checks: Vec<CheckResult>, scenarios: Vec<ScenarioResult>) -> Report {
    Report {
        schema: SCHEMA,
        version: "0.1.0",
        driver: driver.to_owned(),
        component: "target/wasm32-wasip2/guest/driver_button_led.wasm".to_owned(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        seed: u64::MAX,
        trace: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".to_owned(),
        checks,
        scenarios,
    }
}

fn moment(at_ns: u64, kind: MomentKind, text: &str) -> Moment {
    Moment {
        at_ns,
        kind,
        text: text.to_owned(),
    }
}

fn wave(initial: bool, changes_ns: &[u64]) -> Wave {
    Wave {
        initial,
        changes_ns: changes_ns.to_vec(),
    }
}
