//! What the integration tests share: boards made of the guests that
//! `cargo xtask build` left in the target directory.
#![forbid(unsafe_code)]

pub mod fuzzing;
pub mod hostile;
pub mod log;
pub mod mutants;
pub mod program;
mod random;

pub use random::Random;

use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, Builder, ErrorCode, Mode, Request, RequestError, State};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen; far longer than any
/// machine needs.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The directory that this test was built into.
pub fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a test has a program");
    let target = program
        .ancestors()
        .find(|folder| folder.join("drivers").is_dir() && folder.join("guests").is_dir());
    target
        .expect("no guests beside this test; run `cargo xtask test`, which builds them")
        .to_owned()
}

/// A sample driver's component.
pub fn driver(name: &str) -> PathBuf {
    target().join("drivers").join(format!("{name}.wasm"))
}

/// A probing or hostile driver's component.
pub fn guest(name: &str) -> PathBuf {
    target().join("guests").join(format!("{name}.wasm"))
}

/// The recorded inputs, or `None`, said aloud, where the folder is absent.
pub fn data(file: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: `../shared/data/{file}` is absent");
    None
}

/// A compiled-code cache that the tests of one program share.
pub fn cache() -> &'static Path {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    CACHE
        .get_or_init(|| tempfile::tempdir().expect("a temporary directory"))
        .path()
}

/// A `[[driver]]` entry; `rest` is what follows name and component, indented
/// as you like. It is not started again when it fails: most tests look at what a
/// failure leaves.
pub fn entry(name: &str, component: &Path, rest: &str) -> String {
    supervised(
        name,
        component,
        &format!("restart = {{ budget = 0 }}\n{rest}"),
    )
}

/// As [`entry`], for a driver that is started again as `rest` says, or as is the
/// default.
pub fn supervised(name: &str, component: &Path, rest: &str) -> String {
    format!(
        "[[driver]]\nname = \"{name}\"\ncomponent = \"{}\"\n{rest}\n",
        component.display()
    )
}

/// These drivers, of which the one that uses `service` alone can use another
/// driver's as well: it lives on where that of `service` is stopped.
pub fn with_another_provider(drivers: &str, service: &str) -> String {
    let alone = format!("uses = [\"{service}\"]");
    let both = format!("uses = [\"{service}\", \"echo\"]\nlimits = {{ closing = \"1 ms\" }}");
    let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    assert!(drivers.contains(&alone), "nobody uses `{service}` alone");
    drivers.replace(&alone, &both) + &echo
}

/// Where the reports of drivers' deaths go.
pub fn crashes() -> PathBuf {
    cache().join("crashes")
}

fn build(drivers: impl Display, clock: ClockKind) -> Board {
    let built = board_of(drivers, clock).build();
    built.unwrap_or_else(|error| panic!("{error}"))
}

/// A board that is yet to be built. `drivers` continues the `[board]` table.
pub fn board_of(drivers: impl Display, clock: ClockKind) -> Builder {
    log::listen();
    let text = format!("[board]\nbackend = \"sim\"\n{drivers}");
    let file =
        BoardFile::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}\n{text}"));
    Board::builder()
        .board(file)
        .clock(clock)
        .cache_directory(cache().join("code"))
        .crash_directory(crashes())
}

/// A board in virtual time. `drivers` continues the `[board]` table.
pub fn virtual_board(drivers: impl Display) -> Board {
    build(drivers, ClockKind::Virtual)
}

/// A board in real time, with its threads.
pub fn real_board(drivers: impl Display) -> Board {
    build(drivers, ClockKind::Real)
}

/// A driver's state, and why it failed.
pub fn state(board: &Board, driver: &str) -> (State, String) {
    let status = board.status();
    let driver = status
        .drivers
        .iter()
        .find(|status| status.name == driver)
        .unwrap_or_else(|| panic!("no driver `{driver}`"));
    (driver.state, driver.cause.clone().unwrap_or_default())
}

/// Fails, with the cause, unless the driver runs.
pub fn assert_running(board: &Board, driver: &str) {
    let (state, cause) = state(board, driver);
    assert_eq!(state, State::Running, "{driver}: {cause}");
}

/// The scalar that a selector without arguments replies.
pub fn ask(board: &Board, service: &str, selector: &str) -> u64 {
    board
        .call(service, Request::named(selector))
        .unwrap_or_else(|error| panic!("{service} {selector}: {error}"))
        .scalar
}

/// The error that a request ends with.
pub fn refused(board: &Board, service: &str, request: Request) -> RequestError {
    board
        .call(service, request)
        .expect_err("the request was to fail")
}

/// The code that a request without arguments ends with, waiting at most this long.
pub fn code(board: &Board, service: &str, selector: &str, wait: Duration) -> ErrorCode {
    refused(
        board,
        service,
        Request::named(selector).mode(Mode::Run(Some(wait))),
    )
    .code
}

/// Whether a line of the driver's log has this part.
pub fn logged(board: &Board, driver: &str, part: &str) -> bool {
    let lines = board.logs(driver, 0, Duration::ZERO, &loopgate::Cancel::default());
    let lines = lines.unwrap_or_else(|error| panic!("{error}"));
    lines.iter().any(|line| line.text.contains(part))
}

/// Stops the board when a test panics while it exists: the test's threads
/// that wait for an answer then end, and the test fails instead of hanging.
pub struct StopOnPanic<'a>(pub &'a Board);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// KiB of memory, and file descriptors, that this process has.
pub fn held() -> (u64, usize) {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("it has a size");
    let resident = pages.split_whitespace().nth(1).expect("of several numbers");
    let resident: u64 = resident.parse().expect("a number");
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("it has descriptors");
    (resident * 4, descriptors.count())
}

/// Waits, in real time, for a condition that must come true.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        std::thread::yield_now();
    }
}
