//! The program, on a board of the kernel's lines and of a pseudo-terminal.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use loopgate_device_suite::gpio::{Bench as _, GpioSim};
use loopgate_device_suite::{LIMIT, Report, case, rest, until};
use loopgate_devices::gpio::{Direction, Error, LineRequest};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BENCH: &str = "program, kernel";
const PROGRAM: &str = "/bin/loopgate";
const BOARD: &str = "/board/board.toml";
const PORT: &str = "/board/run/echo";

/// Lines of the board.
const LAMP: usize = 0;
const BUTTON: usize = 1;
const BUTTON_LAMP: usize = 2;

struct Host {
    bench: GpioSim,
    program: Child,
}

/// Runs every case, in this order, on one board.
pub(crate) fn run(each: impl Fn(&Report), tell: impl Fn(&Value)) {
    let began = Instant::now();
    let mut host = Host::start();
    let mut run = |name, run: fn(&mut Host)| each(&case(BENCH, name, || run(&mut host)));
    run("drivers start, and the host is held", starts);
    run("a lamp blinks", blinks);
    tell(&json!({
        "measured": "from the start of the host to a lamp that blinks, drivers compiled anew",
        "milliseconds": began.elapsed().as_millis() as u64,
    }));
    run("a button switches a lamp, and is counted", button);
    run("a pseudo-terminal sends back what comes", echo);
    run("a line that a driver has is refused to others", in_use);
    run("what is simulated is refused with words", refused);
    run("a chip that is unplugged kills no driver", unplugged);
    tell(&json!({
        "measured": "resident memory of the host with three drivers",
        "kib": host.resident(),
    }));
    each(&case(
        BENCH,
        "at its end the host lets go of the lines",
        || ends(&mut host),
    ));
    let _ = host.program.kill();
}

impl Host {
    fn start() -> Self {
        let bench = GpioSim::new();
        fs::create_dir_all("/board/run").unwrap();
        fs::write(BOARD, board(&bench)).unwrap();
        let log = File::create("/board/log").unwrap();
        let program = program()
            .args(["run", BOARD, "--sandbox", "require"])
            .stderr(log)
            .spawn()
            .expect("the program is there");
        Self { bench, program }
    }

    fn level(&self, line: usize) -> bool {
        self.bench.level(&self.bench.line(line))
    }

    /// Waits for a change of a lamp, and gives its new level.
    fn change(&self, lamp: usize) -> bool {
        let before = self.level(lamp);
        until("the lamp changes", rest, || self.level(lamp) != before);
        !before
    }

    /// The button is pulled up, and pressed to ground.
    fn press(&self, pressed: bool) {
        self.bench.drive(&self.bench.line(BUTTON), !pressed);
        // The contact is at rest.
        let began = Instant::now();
        let at_rest = || began.elapsed() > Duration::from_millis(100);
        until("the contact rests", rest, at_rest);
    }

    fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.program.id());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

fn board(bench: &GpioSim) -> String {
    let line = |number| bench.line(number);
    format!(
        r#"
[board]
backend = "linux"

[[driver]]
name = "blink"
component = "/drivers/blink.wasm"
config = {{ period-ms = "50" }}
[driver.gpio]
led = {{ line = "{}", direction = "output" }}

[[driver]]
name = "button-led"
component = "/drivers/button_led.wasm"
provides = ["button-led"]
[driver.gpio]
button = {{ line = "{}", direction = "input", bias = "pull-up", edges = "both" }}
led = {{ line = "{}", direction = "output" }}

[[driver]]
name = "echo"
component = "/drivers/serial_echo.wasm"
provides = ["serial-echo"]
[driver.serial]
port = {{ pty = "run/echo", baud = 115200 }}
"#,
        line(LAMP),
        line(BUTTON),
        line(BUTTON_LAMP)
    )
}

fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("HOME", "/tmp");
    command
}

fn ask(words: &[&str]) -> Output {
    program()
        .args(words)
        .output()
        .expect("the program is there")
}

fn status() -> Value {
    let output = ask(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn starts(_: &mut Host) {
    let mut board = Value::Null;
    let all_run = || {
        board = status();
        let drivers = board["drivers"].as_array();
        drivers.is_some_and(|all| all.len() == 3 && all.iter().all(|d| d["state"] == "running"))
    };
    until("three drivers run", rest, all_run);
    for driver in board["drivers"].as_array().unwrap() {
        assert_eq!(driver["restarts"]["made"], 0, "{driver}");
    }
    assert_eq!(board["backend"], "linux");
    for by in ["landlock", "seccomp"] {
        let how = board["sandbox"][by].as_str().unwrap_or_default();
        assert!(how.starts_with("on"), "{by}: {how}");
    }
}

fn blinks(host: &mut Host) {
    for _ in 0..6 {
        host.change(LAMP);
    }
}

fn presses() -> String {
    let output = ask(&["call", "button-led", "presses"]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn button(host: &mut Host) {
    host.press(false);
    for number in 1..=3 {
        let before = host.level(BUTTON_LAMP);
        host.press(true);
        until("the lamp changes", rest, || {
            host.level(BUTTON_LAMP) != before
        });
        host.press(false);
        let said = presses();
        assert!(said.contains(&number.to_string()), "{said}");
    }
}

fn echo(_: &mut Host) {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let port = rustix::fs::open(Path::new(PORT), flags, Mode::empty());
    let mut port = File::from(port.expect("the link is there"));
    port.write_all(b"there and back").unwrap();
    let mut back = [0; 14];
    port.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"there and back");
}

fn in_use(host: &mut Host) {
    let wanted = LineRequest::new(host.bench.line(LAMP), "suite", Direction::Input);
    let error = host.bench.controller().request(&wanted).err().unwrap();
    let is_named = matches!(&error, Error::Busy { consumer, .. } if consumer == "blink");
    assert!(is_named, "{error}");
}

fn refused(host: &mut Host) {
    let line = host.bench.line(BUTTON);
    let output = ask(&["sim", "set", &line, "low"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("the kernel's"),
        "{said}"
    );
}

fn unplugged(host: &mut Host) {
    host.bench.plug(false);
    host.bench.plug(true);
    // It is back with its pull.
    let line = host.bench.line(BUTTON);
    let listed = || {
        let lines = host.bench.controller().lines();
        let mut lines = lines.iter().filter(|info| info.name == line);
        lines.any(|info| info.consumer.as_deref() == Some("button-led"))
    };
    until("the button is back", rest, listed);
    host.press(false);
    let before = host.level(BUTTON_LAMP);
    host.press(true);
    until("the lamp changes", rest, || {
        host.level(BUTTON_LAMP) != before
    });
    host.press(false);
    for driver in status()["drivers"].as_array().unwrap() {
        let alive = (&driver["state"], &driver["generation"]);
        assert_eq!(alive, (&json!("running"), &json!(1)), "{}", driver["name"]);
    }
}

fn ends(host: &mut Host) {
    let pid = i32::try_from(host.program.id())
        .ok()
        .and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::TERM).unwrap();
    let began = Instant::now();
    let status = loop {
        match host.program.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(began.elapsed() < LIMIT, "it does not end"),
        }
        rest();
    };
    let log = fs::read_to_string("/board/log").unwrap();
    assert!(status.success(), "{status}: {log}");
    let lines = host.bench.controller().lines();
    let held: Vec<_> = lines
        .iter()
        .filter(|info| info.consumer.is_some())
        .collect();
    assert!(held.is_empty(), "{held:?}");
}
