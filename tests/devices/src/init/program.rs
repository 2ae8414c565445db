//! The program, as its archive has it, on a board of the kernel's lines and of a
//! pseudo-terminal.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use loopgate_device_suite::gpio::{Bench as _, GpioSim};
use loopgate_device_suite::{LIMIT, Report, case, rest, until};
use loopgate_devices::gpio::{Direction, Error, LineRequest};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BENCH: &str = "program, kernel";
const HOME: &str = "/home";
/// What the archive's folder is called here, without version and target.
const FOLDER: &str = "/home/loopgate";
const PROGRAM: &str = "/home/loopgate/loopgate";
/// The archive's own.
const BOARD: &str = "/home/loopgate/board.toml";
/// The same with more drivers, as components.
const MORE: &str = "/home/loopgate/more.toml";
/// The same with a line that is not there.
const LACKING: &str = "/home/loopgate/lacking.toml";
const LOG: &str = "/home/loopgate/log";
const PORT: &str = "/home/loopgate/run/echo";

/// Lines of the boards.
const LAMP: usize = 17;
const BUTTON: usize = 27;
const BUTTON_LAMP: usize = 22;

struct Host {
    bench: GpioSim,
    program: Child,
    began: Instant,
}

/// Runs every case, in this order.
pub(crate) fn run(archive: &Path, each: impl Fn(&Report), tell: impl Fn(&Value)) {
    let run = |name, run: &mut dyn FnMut()| each(&case(BENCH, name, run));
    run("the archive is unpacked", &mut || unpack(archive));
    let bench = GpioSim::raspberry_pi();
    run("`doctor` finds what its board asks for", &mut finds);
    run("`doctor` says what a board lacks", &mut lacks);
    let mut host = Host::start(bench, BOARD);
    run("its board switches a lamp on", &mut || is_lit(&host));
    tell(&host.took("a lamp that is on, the archive's board"));
    run("its lamp blinks", &mut || blinks(&host));
    tell(&host.memory("VmRSS", "resident memory with that board"));
    run("the host ends", &mut || ends(&mut host));

    fs::create_dir_all("/home/loopgate/run").unwrap();
    fs::write(MORE, three_drivers()).unwrap();
    let mut host = Host::start(host.bench, MORE);
    run("drivers start, and the host is held", &mut starts);
    tell(&host.took("three drivers, two of them compiled there"));
    run("a lamp among others is on", &mut || is_lit(&host));
    run("a button switches a lamp, and is counted", &mut || {
        button(&host);
    });
    run("a pseudo-terminal sends back what comes", &mut echo);
    run("a line that a driver has is refused to others", &mut || {
        in_use(&host);
    });
    run("what is simulated is refused with words", &mut || {
        refused(&host);
    });
    run("a chip that is unplugged kills no driver", &mut || {
        unplugged(&host);
    });
    tell(&host.memory("VmRSS", "resident memory with three drivers"));
    tell(&host.memory("VmHWM", "the most that was resident"));
    tell(&host.memory("VmSize", "address space with three drivers"));
    run("at its end the host lets go of the lines", &mut || {
        ends(&mut host);
    });
}

/// As `tar` does.
fn unpack(archive: &Path) {
    let file = File::open(archive).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    archive.unpack(HOME).unwrap();
    let folder = fs::read_dir(HOME).unwrap().next().unwrap().unwrap();
    fs::rename(folder.path(), FOLDER).unwrap();
}
impl Host {
    fn start(bench: GpioSim, board: &str) -> Self {
        let began = Instant::now();
        let program = program()
            .args(["run", board, "--sandbox", "require"])
            .stderr(File::create(LOG).unwrap())
            .spawn()
            .expect("the program is there");
        Self {
            bench,
            program,
            began,
        }
    }

    fn level(&self, line: usize) -> bool {
        self.bench.level(&self.bench.line(line))
    }

    /// The button is pulled up, and pressed to ground.
    fn press(&self, pressed: bool) {
        self.bench.drive(&self.bench.line(BUTTON), !pressed);
        // The contact is at rest.
        let began = Instant::now();
        let at_rest = || began.elapsed() > Duration::from_millis(100);
        until("the contact rests", rest, at_rest);
    }

    /// Until now.
    fn took(&self, what: &str) -> Value {
        json!({
            "measured": format!("from the start of the host to {what}"),
            "milliseconds": self.began.elapsed().as_millis() as u64,
        })
    }

    fn memory(&self, field: &str, what: &str) -> Value {
        let path = format!("/proc/{}/status", self.program.id());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(field));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        let kib: u64 = word.and_then(|word| word.parse().ok()).unwrap_or(0);
        json!({ "measured": what, "kib": kib })
    }
}

/// The archive's board with two more drivers.
fn three_drivers() -> String {
    let board = fs::read_to_string(BOARD).unwrap();
    board
        + r#"
[[driver]]
name = "button-led"
component = "drivers/button_led.wasm"
provides = ["button-led"]
[driver.gpio]
button = { line = "GPIO27", direction = "input", bias = "pull-up", edges = "both" }
led = { line = "GPIO22", direction = "output" }

[[driver]]
name = "echo"
component = "drivers/serial_echo.wasm"
provides = ["serial-echo"]
[driver.serial]
port = { pty = "run/echo", baud = 115200 }
"#
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

fn starts() {
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

/// Exit status and grants.
fn examined(board: &str) -> (Option<i32>, Vec<Value>) {
    let output = ask(&["doctor", board, "--json"]);
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let Value::Array(grants) = report["board"]["grants"].take() else {
        panic!("no report: {said}");
    };
    (output.status.code(), grants)
}

fn finds() {
    let for_people = ask(&["doctor", BOARD]).stdout;
    println!("{}", String::from_utf8_lossy(&for_people));
    let (status, grants) = examined(BOARD);
    assert_eq!(status, Some(0), "{grants:?}");
    assert!(grants.iter().all(|grant| grant["state"] == "ok"));
    let lamp = |grant: &Value| grant["what"].to_string().contains("GPIO17");
    assert!(grants.iter().any(lamp), "{grants:?}");
}

fn lacks() {
    let board = fs::read_to_string(BOARD).unwrap();
    fs::write(LACKING, board.replace("\"GPIO17\"", "\"GPIO99\"")).unwrap();
    let (status, grants) = examined(LACKING);
    assert_eq!(status, Some(1), "{grants:?}");
    let missing: Vec<_> = grants
        .iter()
        .filter(|one| one["state"] == "missing")
        .collect();
    assert_eq!(missing.len(), 1, "{grants:?}");
    assert!(
        missing[0]["what"].to_string().contains("GPIO99"),
        "{missing:?}"
    );
    let remedies = missing[0]["remedies"].as_array();
    assert!(remedies.is_some_and(|all| !all.is_empty()), "{missing:?}");
}

fn is_lit(host: &Host) {
    until("the lamp is on", rest, || host.level(LAMP));
}

fn blinks(host: &Host) {
    for _ in 0..6 {
        let before = host.level(LAMP);
        until("the lamp changes", rest, || host.level(LAMP) != before);
    }
}

fn presses() -> String {
    let output = ask(&["call", "button-led", "presses"]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn button(host: &Host) {
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

fn echo() {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let port = rustix::fs::open(Path::new(PORT), flags, Mode::empty());
    let mut port = File::from(port.expect("the link is there"));
    port.write_all(b"there and back").unwrap();
    let mut back = [0; 14];
    port.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"there and back");
}

fn in_use(host: &Host) {
    let wanted = LineRequest::new(host.bench.line(LAMP), "suite", Direction::Input);
    let error = host.bench.controller().request(&wanted).err().unwrap();
    let is_named = matches!(&error, Error::Busy { consumer, .. } if consumer == "blink");
    assert!(is_named, "{error}");
}

fn refused(host: &Host) {
    let line = host.bench.line(BUTTON);
    let output = ask(&["sim", "set", &line, "low"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("the kernel's"),
        "{said}"
    );
}

fn unplugged(host: &Host) {
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
    let log = fs::read_to_string(LOG).unwrap();
    assert!(status.success(), "{status}: {log}");
    let lines = host.bench.controller().lines();
    let held: Vec<_> = lines
        .iter()
        .filter(|info| info.consumer.is_some())
        .collect();
    assert!(held.is_empty(), "{held:?}");
}
