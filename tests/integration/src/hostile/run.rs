//! One attempt of the corpus on a board of its own, between two drivers that
//! behave: one on the same work loop, one on another.

use super::Verdict;
use super::corpus::{Attempt, When};
use crate::{ask, entry, guest, real_board, state, virtual_board};
use loopgate::{Board, Cancel, LogLine, Mode, PowerState, Request, State};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The neighbours, their services and lines, and where they run.
pub const NEIGHBOURS: [(&str, &str); 2] = [("same", "provider"), ("apart", "dedicated")];

/// How often each neighbour gets an edge: what a delay as long as the bound
/// leaves waiting has room in its source.
const PERIOD: Duration = Duration::from_millis(1);
/// Edges that each gets at least, after the verdict.
const EDGES: u64 = 30;
/// How long a verdict may take, far longer than any machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The driver that misbehaves.
const BAD: &str = "bad";
/// One that uses what it has to offer.
const USER: &str = "user";
/// How often that one reads its pin.
const READS: usize = 8;
/// The edges that it hears of, by their number in `probe_pins`.
const BOTH: u64 = 2;

/// What came of an attempt.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Which attempt.
    pub attempt: String,
    /// What became of it: its state, and the cause or what it told.
    pub verdict: String,
    /// Whether that was expected.
    pub expected: bool,
    /// Edges that each neighbour was sent.
    pub edges: u64,
    /// The neighbour on the same loop.
    pub same: Neighbour,
    /// The one on another loop.
    pub apart: Neighbour,
    /// What rule 13 allows on the same loop, ticks and tear-down left out.
    pub bound_ns: u64,
}

/// How a neighbour fared.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Neighbour {
    /// Edges that it was not called for.
    pub missed: u64,
    /// From an edge to its handler, at most.
    pub worst_ns: u64,
}

impl Report {
    /// Whether the verdict is the expected one and nobody missed anything.
    pub fn is_well(&self) -> bool {
        self.expected && self.same.missed == 0 && self.apart.missed == 0
    }

    /// Whether the neighbour on the same loop was served within rule 13.
    pub fn is_in_time(&self) -> bool {
        self.same.worst_ns <= self.bound_ns
    }
}

/// Runs the attempt in real time, while edges arrive at both neighbours.
pub fn run(attempt: &Attempt) -> Report {
    let board = real_board(drivers(attempt));
    let done = AtomicBool::new(false);
    let (told, edges) = thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(&board, &done));
        let mut told = set_off(&board, attempt);
        wait_for_verdict(&board, attempt, &told);
        told += &logged(&board);
        done.store(true, Ordering::SeqCst);
        (told, feeder.join().expect("the edges are made"))
    });
    wait_for_edges(&board, edges);
    let told = told + &heard(&board, attempt);
    let report = report(&board, attempt, &told, edges);
    board.shutdown();
    report
}

/// Runs the attempt in virtual time, while as many edges arrive as a delay of
/// the bound leaves room for.
pub fn run_virtually(attempt: &Attempt) -> Report {
    let edges = virtual_edges(attempt);
    let board = virtual_board(drivers(attempt) + &stimuli(edges));
    board.run_for(PERIOD);
    let told = set_off(&board, attempt);
    // It is set off after a while, and may take as long as the bound.
    board.run_for(PERIOD * (edges + 1));
    let told = told + &logged(&board) + &heard(&board, attempt);
    report(&board, attempt, &told, u64::from(edges))
}

/// What always has more to do and takes no virtual time for it gets thousands
/// of handlers in each grain of time: a few edges tell all there is to tell.
fn virtual_edges(attempt: &Attempt) -> u32 {
    let endless = match &*attempt.guest {
        "hostile_flood" => true,
        "hostile_resumed" => attempt.how == "flood",
        _ => attempt.how == "changes",
    };
    if endless { 5 } else { 900 }
}

/// Edges on the neighbours' lines that come at their time, whatever runs then.
fn stimuli(edges: u32) -> String {
    let mut text = String::new();
    for edge in 1..=edges {
        let (at, level) = (
            edge * PERIOD.as_millis() as u32,
            ["low", "high"][edge as usize % 2],
        );
        for (name, _) in NEIGHBOURS {
            let _ = writeln!(
                text,
                "[[board.stimulus]]\nat = \"{at} ms\"\nline = \"{name}\"\nlevel = \"{level}\""
            );
        }
    }
    text
}

/// What is on the buses; one of them never answers.
const BUSES: &str = r#"
[[board.i2c-device]]
bus = "BUS"
address = 0x10
model = "registers"
[[board.i2c-device]]
bus = "BUS"
address = 0x11
model = "registers"
fault = [{ kind = "stuck" }]
[[board.spi-device]]
bus = "SPI"
model = "loop-back"
"#;

/// The board: first those that behave.
fn drivers(attempt: &Attempt) -> String {
    let mut text = BUSES.to_owned();
    for (name, place) in NEIGHBOURS {
        let rest = format!(
            "provides = [\"{name}\"]\nwork-loop = \"{place}\"\nconfig = {{ service = \"{name}\", worst = \"yes\" }}\n\
             [driver.gpio]\nin = {{ line = \"{name}\", direction = \"input\", edges = \"both\" }}"
        );
        text += &entry(name, &guest("probe_counter"), &rest);
    }
    for service in used(attempt) {
        let (component, how, amount) = match *service {
            "slow" => ("hostile_requests", "pause", ""),
            "big" => ("hostile_reply", "", "60000"),
            _ => ("probe_echo", "", ""),
        };
        let rest = format!(
            "provides = [\"{service}\"]\nconfig = {{ when = \"command\", how = \"{how}\", \
             amount = \"{amount}\", service = \"{service}\" }}"
        );
        text += &entry(service, &guest(component), &rest);
    }
    text + &bad(attempt) + &user(attempt).unwrap_or_default()
}

/// The entry of the driver that uses it, where that sets it off.
fn user(attempt: &Attempt) -> Option<String> {
    let uses = format!("provides = [\"{USER}\"]\nuses = [\"{BAD}\"]\n");
    let direction = match attempt.when {
        When::PinWrite => "output",
        When::PinConfigure | When::PinRead => "input\", edges = \"both",
        When::Timer if attempt.guest == "hostile_pins" => {
            let rest = format!(
                "config = {{ service = \"{USER}\" }}\n\
                 [driver.gpio]\nin = {{ line = \"{BAD}:P\", direction = \"input\", edges = \"both\" }}"
            );
            return Some(entry(USER, &guest("probe_counter"), &(uses + &rest)));
        }
        When::Structural if used(attempt).is_empty() => {
            let config = format!("config = {{ service = \"{USER}\", target = \"{BAD}\" }}");
            return Some(entry(USER, &guest("probe_calls"), &(uses + &config)));
        }
        _ => return None,
    };
    let rest = format!(
        "config = {{ service = \"{USER}\" }}\n\
         [driver.gpio]\npin = {{ line = \"{BAD}:P\", direction = \"{direction}\" }}"
    );
    Some(entry(USER, &guest("probe_pins"), &(uses + &rest)))
}

/// The services that it asks, whose drivers are on its loop.
fn used(attempt: &Attempt) -> &'static [&'static str] {
    const ASK: [&str; 5] = [
        "hostile_flood",
        "hostile_raw",
        "hostile_requests",
        "hostile_sources",
        "hostile_state",
    ];
    match &*attempt.guest {
        _ if attempt.how == "long" => &["slow"],
        _ if attempt.how == "swallow" => &["big"],
        "hostile_around" if ["closing", "opens"].contains(&attempt.how) => &["echo"],
        asks if ASK.contains(&asks) || attempt.when == When::Completed => &["echo"],
        _ => &[],
    }
}

/// The entry of the one that misbehaves: it is granted one thing of each kind. Its
/// floods are to be as fast as they can be, which in virtual time no limit of calls
/// in a second allows; that limit has tests of its own.
fn bad(attempt: &Attempt) -> String {
    let Attempt {
        guest: component,
        how,
        when,
        amount,
        ..
    } = attempt;
    let mut config = format!(
        "when = \"{}\", service = \"{BAD}\", after-ms = \"20\"",
        when.name()
    );
    for (key, value) in [("how", how), ("amount", amount)] {
        if !value.is_empty() {
            let _ = write!(config, ", {key} = \"{value}\"");
        }
    }
    let rest = format!(
        "provides = [\"{BAD}\", \"hostile-filter\"]\nuses = {:?}\n\
         config = {{ {config} }}\nlimits = {{ start = \"200 ms\", host-calls = 1000000000 }}\n\
         [driver.gpio]\n\
         in = {{ line = \"BAD\", direction = \"input\", edges = \"both\" }}\n\
         out = {{ line = \"OUT\", direction = \"output\" }}\n\
         led = {{ line = \"LED\", direction = \"output\" }}\n\
         [driver.serial]\nport = {{ sim = \"PORT\" }}\n\
         [driver.i2c]\n\
         device = {{ bus = \"BUS\", address = 0x10 }}\n\
         stuck = {{ bus = \"BUS\", address = 0x11 }}\n\
         spare = {{ bus = \"BUS\", address = 0x12 }}\n\
         [driver.spi]\ndisplay = {{ bus = \"SPI\", clock = 1000000 }}",
        used(attempt)
    );
    entry(BAD, &guest(component), &rest)
}

/// Edges for both neighbours until it is done, and some more: how many.
fn feed(board: &Board, done: &AtomicBool) -> u64 {
    let (mut edges, mut after) = (0, 0);
    while after < EDGES {
        edge(board, &mut edges);
        after += u64::from(done.load(Ordering::SeqCst));
        // The pace of what is measured, not a wait for anything.
        thread::sleep(PERIOD);
    }
    edges
}

fn edge(board: &Board, edges: &mut u64) {
    *edges += 1;
    for (name, _) in NEIGHBOURS {
        let high = *edges % 2 == 1;
        board.sim().set(name, high).expect("the line is there");
    }
}

/// Sets it off; what a client was told of it.
fn set_off(board: &Board, attempt: &Attempt) -> String {
    let command = |mode| match board.call(BAD, Request::numbered(1).mode(mode)) {
        Ok(reply) => text(&reply.data),
        Err(error) => error.to_string(),
    };
    match attempt.when {
        When::Start => {
            // It has started once, while nobody measured.
            let _ = board.stop_driver(BAD);
            let _ = board.start_driver(BAD);
        }
        When::Stop => drop(board.stop_driver(BAD)),
        When::Interrupt | When::Filter => {
            for high in [true, false, true] {
                board.sim().set("BAD", high).expect("the line is there");
            }
        }
        When::Command => return command(Mode::Run(None)),
        When::Resume => return command(Mode::Run(Some(Duration::from_millis(30)))),
        When::Cancelled => return command(Mode::Run(Some(Duration::from_millis(1)))),
        When::Save | When::Reload | When::Restore => match board.reload(BAD) {
            Ok(_) => {}
            Err(error) => return format!("{error}\n"),
        },
        When::PinConfigure | When::PinRead | When::PinWrite => return use_pin(board, attempt.when),
        When::Structural if used(attempt).is_empty() => {
            // The service, for at most so many ms.
            let mut ask = Request::named("run");
            ask.scalars = [1, 1000, 0, 0];
            let _ = board.call(USER, ask);
        }
        When::Structural => drop(board.stop_driver("echo")),
        When::AllowPowerChange | When::SetPowerState | When::PowerStateDidChange => {
            let slept = board.power(PowerState::Sleep);
            let _ = board.power(PowerState::On);
            return slept.map_or_else(|error| format!("{error}\n"), |()| "asleep\n".to_owned());
        }
        When::Timer | When::Completed => {}
    }
    String::new()
}

/// Has another driver use the pin that it publishes: what each read gave.
fn use_pin(board: &Board, when: When) -> String {
    let ask = |what: &str, scalar| {
        let mut ask = Request::named(what).data("pin");
        ask.scalars[0] = scalar;
        match board.call(USER, ask) {
            Ok(reply) => reply.scalar.to_string(),
            Err(error) => error.code.name().to_owned(),
        }
    };
    if when == When::PinWrite {
        ask("output", 0);
        ask("set", 1);
        return String::new();
    }
    ask("input", 0);
    ask("listen", BOTH);
    let reads: Vec<_> = (0..READS).map(|_| ask("read", 0)).collect();
    reads.join(" ") + "\n"
}

/// Whether the user of its pin was interrupted at times that never go back, nor
/// are still to come.
fn heard(board: &Board, attempt: &Attempt) -> String {
    if attempt.guest != "hostile_pins" {
        return String::new();
    }
    let report = board.call(USER, Request::named("report"));
    let report = report.map_or_else(|error| error.to_string(), |reply| text(&reply.data));
    let time = |line: &str| line.rsplit(' ').next()?.parse().ok();
    let times: Vec<Option<u64>> = report.lines().map(time).collect();
    let past = Some(board.now().as_nanos());
    let in_order = times.is_sorted() && times.iter().all(|time| time.is_some() && *time <= past);
    let verdict = if in_order { "are" } else { "ARE NOT" };
    format!("{} edges, its times {verdict} in order\n", times.len())
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Whether the verdict is there; of those that just go on there is none.
fn is_in(board: &Board, attempt: &Attempt, told: &str) -> bool {
    match attempt.verdict {
        Verdict::Fails(_) => has_failed(attempt, state(board, BAD).0),
        // What its user was told, and is there to hear of in the end.
        Verdict::Tells(_) if attempt.guest == "hostile_pins" => true,
        Verdict::Tells(words) => told.contains(words) || logged(board).contains(words),
        Verdict::Outlived(words) => {
            is_outlived(attempt, words, told) || is_outlived(attempt, words, &logged(board))
        }
        Verdict::Runs | Verdict::Any => true,
    }
}

/// Whether it says what an instance failed over, and where.
fn is_outlived(attempt: &Attempt, words: &str, told: &str) -> bool {
    let end = format!("(in `{}`)", attempt.when.handler());
    told.lines()
        .any(|line| line.contains(words) && line.contains(&end))
}

/// What was stopped stays so, and keeps the cause of its end.
fn has_failed(attempt: &Attempt, state: State) -> bool {
    match attempt.when {
        When::Stop => state == State::Stopped,
        When::Structural if !used(attempt).is_empty() => state == State::Stopped,
        _ => state == State::Failed,
    }
}

/// Each look but the first comes with a line of its log: whatever a verdict
/// consists of leaves one.
fn wait_for_verdict(board: &Board, attempt: &Attempt, told: &str) {
    let begun = Instant::now();
    let mut latest = 0;
    while !is_in(board, attempt, told) && begun.elapsed() < PATIENCE {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let more = lines(board, latest, left);
        latest = more.last().map_or(latest, |line| line.sequence);
    }
}

/// What came while the loop had no time is in the sources of the neighbours.
fn wait_for_edges(board: &Board, edges: u64) {
    let begun = Instant::now();
    let waits = |name| seen(board, name) < edges;
    while NEIGHBOURS.iter().any(|(name, _)| waits(name)) && begun.elapsed() < PATIENCE {
        thread::yield_now();
    }
}

fn lines(board: &Board, after: u64, wait: Duration) -> Vec<LogLine> {
    let lines = board.logs(BAD, after, wait, &Cancel::default());
    lines.expect("the driver is there")
}

fn logged(board: &Board) -> String {
    let lines = lines(board, 0, Duration::ZERO).into_iter();
    lines.map(|line| line.text + "\n").collect()
}

fn report(board: &Board, attempt: &Attempt, told: &str, edges: u64) -> Report {
    let (state, cause) = state(board, BAD);
    let (expected, verdict) = match attempt.verdict {
        Verdict::Fails(words) => (
            has_failed(attempt, state) && cause.contains(words) && names_handler(attempt, &cause),
            format!("{}: {cause}", state.name()),
        ),
        Verdict::Outlived(words) => {
            let outlived = is_outlived(attempt, words, told);
            let line = told.lines().find(|line| line.contains(words));
            let running = state == State::Running;
            (
                outlived && running,
                format!("{}: {}", state.name(), line.unwrap_or(told)),
            )
        }
        Verdict::Tells(words) => {
            let line = told.lines().find(|line| line.contains(words));
            let line = line.or(told.lines().last()).unwrap_or_default();
            let told = told.contains(words) && state != State::Failed;
            (told, format!("{}: {line}{cause}", state.name()))
        }
        Verdict::Runs => (state == State::Running, format!("{}{cause}", state.name())),
        Verdict::Any => (true, format!("{} {cause}", state.name())),
    };
    let neighbour = |name| Neighbour {
        missed: edges - delivered(board, name),
        worst_ns: ask(board, name, "worst"),
    };
    Report {
        attempt: attempt.name(),
        verdict,
        expected: expected && nobody_else_failed(board),
        edges,
        same: neighbour("same"),
        apart: neighbour("apart"),
        bound_ns: bound(board, attempt).as_nanos() as u64,
    }
}

fn nobody_else_failed(board: &Board) -> bool {
    let status = board.status();
    let mut others = status.drivers.iter().filter(|driver| driver.name != BAD);
    others.all(|driver| [State::Running, State::Stopped].contains(&driver.state))
}

/// What ends it in a handler says in which; what ends it elsewhere, where.
fn names_handler(attempt: &Attempt, cause: &str) -> bool {
    let Some((_, end)) = cause.split_once("(in `") else {
        return attempt.when == When::Start;
    };
    end == format!("{}`)", attempt.when.handler())
}

/// Rule 13: of each other driver on the loop two handler limits, and a third of
/// one that may call others.
fn bound(board: &Board, attempt: &Attempt) -> Duration {
    let status = board.status();
    let mut drivers = status.drivers.iter();
    let of_loop = drivers.find(|driver| driver.name == "same");
    let of_loop = of_loop.map(|driver| driver.work_loop.clone());
    let others = status
        .drivers
        .iter()
        .filter(|driver| Some(&driver.work_loop) == of_loop.as_ref() && driver.name != "same");
    others
        .map(|driver| {
            let calls = driver.name == USER || driver.name == BAD && !used(attempt).is_empty();
            let limits = if calls { 3 } else { 2 };
            driver.limits.handler_wall * limits
        })
        .sum()
}

/// Edges that the neighbour's handler was called for.
fn delivered(board: &Board, name: &str) -> u64 {
    counts(board, name).0
}

/// Those, and the ones that were lost.
fn seen(board: &Board, name: &str) -> u64 {
    let (delivered, lost) = counts(board, name);
    delivered + lost
}

fn counts(board: &Board, name: &str) -> (u64, u64) {
    let status = board.status();
    let driver = status.drivers.iter().find(|driver| driver.name == name);
    let counts = driver.expect("the neighbour is there").counts;
    (counts.interrupts, counts.lost)
}
