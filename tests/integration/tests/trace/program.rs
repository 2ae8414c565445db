//! `loopgate run --record` and `loopgate replay`, with what can befall a file.

use loopgate::control::{Call, Client, Place, Request, Response, Selector};
use loopgate::trace::Recorder;
use loopgate_integration::program::Program;
use loopgate_integration::{driver, entry, root, until};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// A lamp that has much to do.
const LAMP: &str = "config = { period-ms = \"4\" }\n[driver.gpio]\n\
    led = { line = \"LED\", direction = \"output\" }";

fn blink() -> String {
    format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("blink", &driver("blink"), LAMP)
    )
}

/// A board that is recorded to `trace`, in the sandbox if the kernel has one.
fn recorded(board: &str, trace: &Path) -> Program {
    Program::prepared(board, &["--record", &trace.display().to_string()], |_| ())
}

/// What `loopgate replay` says of a driver, and whether it was the same.
fn replayed(program: &Program, trace: &Path, name: &str, component: &Path) -> (String, bool) {
    let (trace, component) = (trace.display().to_string(), component.display().to_string());
    let command = ["replay", &trace, &component, "--driver", name];
    let output = program.command(&command).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (text, output.status.success())
}

fn ends(program: Program) {
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0));
}

/// How often the lamp was switched.
fn switched(program: &Program) -> u64 {
    program.status()["counts"]["timeouts"].as_u64().unwrap()
}

fn goes_on(program: &Program) {
    let before = switched(program);
    until("the board goes on", || switched(program) > before + 10);
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

const CANNOT: &str = "cannot be written: ";

#[test]
fn a_killed_host_leaves_what_replays_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("cut.trace");
    let mut program = recorded(&blink(), &trace);
    until("something was written", || size(&trace) > 4_000);
    program.kill();
    let (text, same) = replayed(&program, &trace, "blink", &driver("blink"));
    assert!(
        same && text.contains("the recording was cut off here"),
        "{text}"
    );
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let program = recorded(&blink(), Path::new("/dev/full"));
    until("it is logged", || program.log().contains(CANNOT));
    goes_on(&program);
    let log = program.log();
    assert_eq!(log.matches(CANNOT).count(), 1, "{log}");
    assert!(log.contains("No space left"), "{log}");
    ends(program);
}

/// Of a disk that is full later, what fitted is replayed.
#[test]
fn what_fitted_on_a_full_disk_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16k", "none"])
        .arg(folder.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: only root can mount a small disk");
        return;
    }
    let trace = folder.path().join("full.trace");
    let program = recorded(&blink(), &trace);
    until("it is logged", || program.log().contains(CANNOT));
    goes_on(&program);
    let (text, same) = replayed(&program, &trace, "blink", &driver("blink"));
    ends(program);
    let unmounted = std::process::Command::new("umount")
        .arg(folder.path())
        .status();
    assert!(unmounted.unwrap().success());
    assert!(same && text.contains("cut off here"), "{text}");
}

#[test]
fn a_removed_file_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("gone.trace");
    let program = recorded(&blink(), &trace);
    until("something was written", || size(&trace) > 0);
    std::fs::remove_file(&trace).unwrap();
    until("it is logged", || program.log().contains(CANNOT));
    goes_on(&program);
    let log = program.log();
    assert_eq!(log.matches(CANNOT).count(), 1, "{log}");
    assert!(log.contains("it was removed"), "{log}");
    ends(program);
}

#[test]
fn a_pipe_is_refused_which_would_wait_for_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let refused = Recorder::to_file(&pipe).err().unwrap().to_string();
    assert!(refused.starts_with("it is a pipe"), "{refused}");
}

/// A board's file without its head, with a place for what has none.
fn entries_of(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let begin = text.find("\n[[").unwrap();
    let folder = driver("").with_file_name("").display().to_string();
    let text = text[begin..].replace("../../../target/drivers", &folder);
    text.replace("../target/drivers", &folder)
        .replace("sim = \"", "pty = \"run/")
}

/// All sample drivers on one board.
fn all_samples() -> String {
    let expander = entries_of("sample-drivers/expander-pcf8574/conform/board.toml");
    let (expander, _) = expander.split_once("# A lamp and a button").unwrap();
    let others = [
        "digits",
        "humidity",
        "modbus-master",
        "oled",
        "serial-echo",
        "weather",
    ];
    let others = others.map(|name| {
        let text = entries_of(&format!("sample-drivers/{name}/conform/board.toml"));
        // A pseudo-terminal has no framing.
        text.replace(", framing = \"8E1\"", "")
    });
    format!(
        "[board]\nbackend = \"sim\"\nclock = \"real\"\n{}{expander}{}",
        entries_of("sample-drivers/board.toml"),
        others.concat()
    )
}

/// Name and component of each driver.
fn drivers_of(board: &str) -> Vec<(String, String)> {
    let values = |key: &str| {
        let lines = board.lines().filter_map(move |line| line.strip_prefix(key));
        lines
            .map(|value| value.trim_matches('"').to_owned())
            .collect::<Vec<_>>()
    };
    values("name = ")
        .into_iter()
        .zip(values("component = "))
        .collect()
}

/// A client that does not mind what it is answered.
fn ask(client: &mut Client, request: &Request) -> bool {
    let response = client
        .ask(request)
        .unwrap_or_else(|error| panic!("{error}"));
    !matches!(response, Response::Error { .. })
}

fn call(service: &str, selector: &str, scalars: &[u64], data: &[u8]) -> Request {
    Request::Call(Call {
        service: service.to_owned(),
        selector: Selector::Name(selector.to_owned()),
        scalars: scalars.to_vec(),
        data: data.to_vec(),
        attempt: false,
        immediate: false,
        timeout_ms: 2_000,
        reply_max: 4_096,
    })
}

/// What a client does in a round.
fn requests(round: u64) -> [Request; 11] {
    let key = if round.is_multiple_of(2) {
        "press"
    } else {
        "release"
    };
    [
        call("button-led", "presses", &[], b""),
        call("ram-block", "write", &[512 * (round % 32)], b"hello"),
        call("block-cache", "read", &[512 * (round % 32), 5], b""),
        call("expander", key, &[round / 2 % 4, 4], b""),
        call("macro-pad", "typed", &[], b""),
        call("quadrature", "count", &[], b""),
        call("gps", "position", &[], b""),
        call("oled", "show", &[], round.to_string().as_bytes()),
        call(
            "digits",
            "show",
            &[],
            (round % 1_000).to_string().as_bytes(),
        ),
        call("weather", "measure", &[], b""),
        call("humidity", "latest", &[], b""),
    ]
}

/// Lines that are moved, and in which rounds.
const LINES: [(&str, u64); 8] = [
    ("GPIO5", 1),
    ("GPIO6", 2),
    ("GPIO17", 40),
    ("GPIO23", 3),
    ("GPIO4", 5),
    ("GPIO24", 7),
    ("GPIO25", 11),
    ("X0", 50),
];

const SENTENCE: &[u8] = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n";

/// Clients call, somebody writes into the terminals, lines move: for so long.
fn busy(program: &Program, span: Duration) -> u64 {
    let begun = Instant::now();
    let is_over = || begun.elapsed() >= span;
    let connect = || Client::connect(&Place::at(program.path("socket"))).unwrap();
    let open = |name: &str| {
        let tty = OpenOptions::new()
            .read(true)
            .write(true)
            .open(program.path(name));
        tty.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut gps = open("run/gps");
            let mut echo = open("run/echo");
            while !is_over() {
                gps.write_all(SENTENCE).unwrap();
                echo.write_all(&[7; 64]).unwrap();
                echo.read_exact(&mut [0; 64]).unwrap();
            }
        });
        scope.spawn(|| {
            let mut client = connect();
            for round in 0_u64.. {
                if is_over() {
                    break;
                }
                for (line, every) in LINES {
                    let (line, high) = (line.to_owned(), round / every % 2 == 0);
                    assert!(ask(&mut client, &Request::SimSet { line, high }));
                }
            }
        });
        let mut client = connect();
        let mut answered = 0;
        for round in 0.. {
            if is_over() {
                break;
            }
            for request in requests(round) {
                answered += u64::from(ask(&mut client, &request));
            }
        }
        answered
    })
}

/// Records the sample drivers for so long, and replays each.
fn recorded_and_replayed(span: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("board.trace");
    let board = all_samples();
    let program = recorded(&board, &trace);
    let answered = busy(&program, span);
    let status: serde_json::Value =
        serde_json::from_str(&program.says(&["status", "--json"])).unwrap();
    for driver in status["drivers"].as_array().unwrap() {
        assert_eq!(driver["state"], "running", "{driver}");
    }
    program.signal("-TERM");
    let mut program = program;
    until("it ends", || program.has_ended());
    let drivers = drivers_of(&board);
    assert_eq!(drivers.len(), 19, "{drivers:?}");
    println!(
        "{span:?}, {answered} requests answered, {} bytes",
        size(&trace)
    );
    for (name, component) in drivers {
        let begun = Instant::now();
        let (text, same) = replayed(&program, &trace, &name, Path::new(&component));
        println!("{} in {:?}", text.trim_end(), begun.elapsed());
        assert!(
            same && !text.contains("left out") && !text.contains("cut off"),
            "{text}"
        );
    }
    assert!(answered > 10, "{answered}");
}

#[test]
fn two_seconds_of_all_sample_drivers_are_replayed_without_divergence() {
    recorded_and_replayed(Duration::from_secs(2));
}

/// The same for a minute.
#[test]
fn a_minute_of_all_sample_drivers_is_replayed_without_divergence() {
    if std::env::var_os("LOOPGATE_LONG").is_none() {
        eprintln!("SKIPPED: it takes two minutes; `LOOPGATE_LONG=1` runs it");
        return;
    }
    recorded_and_replayed(Duration::from_mins(1));
}
