//! What the tests share: a driver that publishes pins, and one that opens them.

use loopgate::{Board, ErrorCode, Request, RequestError};
use loopgate_integration::{assert_running, entry, guest, virtual_board};
use std::time::Duration;

pub const MILLISECOND: Duration = Duration::from_millis(1);

/// Where a board places the user: beside its provider, or not.
pub const LOOPS: [&str; 2] = ["provider", "dedicated"];

// The kinds of edges that `probe_pins` counts by.
pub const RISING: u64 = 0;

pub const FALLING: u64 = 1;

pub const BOTH: u64 = 2;

pub const HIGH_LEVEL: u64 = 3;

pub const LOW_LEVEL: u64 = 4;

/// The user's pins. `other` and `low` stand so that their levels are the second
/// and the third that a filter sees.
pub const GRANTS: &str = r#"
[driver.gpio]
in = { line = "expander:P0", direction = "input", edges = "both" }
other = { line = "expander:P5", direction = "input" }
low = { line = "expander:P1", direction = "input", edges = "both", active-low = true }
high-level = { line = "expander:P2", direction = "input", edges = "high-level" }
low-level = { line = "expander:P6", direction = "input", edges = "low-level" }
out = { line = "expander:P3", direction = "output" }
out-low = { line = "expander:P4", direction = "output", active-low = true }
capped = { line = "expander:P7", direction = "input", edges = "both", rate-cap = 2 }
missing = { line = "expander:none", direction = "input" }
"#;

pub fn drivers(provider: &str, work_loop: &str, user: &str) -> String {
    let provider = format!("provides = [\"expander\"]\nconfig = {{ {provider} }}");
    let user = format!(
        "provides = [\"pins\"]\nuses = [\"expander\"]\nwork-loop = \"{work_loop}\"\n\
         config = {{ {user} }}\n{GRANTS}"
    );
    entry("publish", &guest("probe_publish"), &provider)
        + &entry("user", &guest("probe_pins"), &user)
}

pub fn board(provider: &str, work_loop: &str) -> Board {
    let board = virtual_board(drivers(provider, work_loop, ""));
    assert_running(&board, "publish");
    assert_running(&board, "user");
    board
}

/// What the user is asked about a pin.
pub fn ask(board: &Board, selector: &str, pin: &str, number: u64) -> Result<u64, ErrorCode> {
    let request = Request::named(selector).scalar(number).data(pin);
    let reply = board.call("pins", request);
    reply.map(|reply| reply.scalar).map_err(|error| error.code)
}

pub fn change_at(board: &Board, pin: u64, high: bool, at: u64) -> Result<(), RequestError> {
    let mut request = Request::named("change");
    request.scalars = [pin, u64::from(high), at, 0];
    board.call("expander", request)?;
    Ok(())
}

pub fn change(board: &Board, pin: u64, high: bool) {
    change_at(board, pin, high, 0).unwrap_or_else(|error| panic!("{error}"));
}

/// After all that there was to do in virtual time.
pub fn report(board: &Board, service: &str) -> Vec<String> {
    board.run_for(MILLISECOND);
    report_now(board, service)
}

pub fn report_now(board: &Board, service: &str) -> Vec<String> {
    let reply = board.call(service, Request::named("report")).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What the provider was called for since the last time.
pub fn called(board: &Board) -> Vec<String> {
    report(board, "expander")
}

/// The interrupts of the user since the last time, without their times.
pub fn heard(board: &Board) -> Vec<String> {
    let report = report(board, "pins").into_iter();
    let untimed = |line: String| line.split_once(" at ").unwrap().0.to_owned();
    report.map(untimed).collect()
}
