//! What the tests share: a provider that can answer in every way, and a submitter.

use loopgate::{Board, Request};
use loopgate_integration::{entry, guest};
use std::time::Duration;

pub const MILLISECOND: Duration = Duration::from_millis(1);

// Selectors of `probe_pending`.
pub const LATER: u64 = 1;
pub const TWICE: u64 = 2;
pub const NEVER: u64 = 3;
pub const ON_INTERRUPT: u64 = 5;
pub const DROP: u64 = 6;
pub const EARLY: u64 = 7;
pub const BOTH: u64 = 9;
pub const NOW: u64 = 11;

pub const CONCURRENT: &str = "config = { queueing = \"concurrent\" }";

/// Where a board places the submitter: beside its provider, or not.
pub const LOOPS: [&str; 2] = ["provider", "dedicated"];

pub fn pending(more: &str) -> String {
    let rest = format!("provides = [\"pending\", \"pending-report\"]\n{more}");
    entry("pending", &guest("probe_pending"), &rest)
}

pub fn submitter(target: &str, work_loop: &str, config: &str, more: &str) -> String {
    let rest = format!(
        "provides = [\"submit\"]\nuses = [\"{target}\"]\nwork-loop = \"{work_loop}\"\n\
         config = {{ target = \"{target}\"{config} }}\n{more}"
    );
    entry("submit", &guest("probe_submit"), &rest)
}

pub fn both(provider: &str, work_loop: &str) -> String {
    pending(provider) + &submitter("pending", work_loop, "", "")
}

pub fn call(board: &Board, selector: &str, scalars: [u64; 4]) -> (u64, String) {
    let mut request = Request::named(selector);
    request.scalars = scalars;
    let reply = board
        .call("submit", request)
        .unwrap_or_else(|error| panic!("{selector} {scalars:?}: {error}"));
    (reply.scalar, String::from_utf8(reply.data).unwrap())
}

/// The id of a request that is submitted: a selector of the target, what goes
/// along, the deadline in milliseconds.
pub fn submit(board: &Board, selector: u64, first: u64, second: u64, deadline: u64) -> u64 {
    call(board, "submit", [selector, first, second, deadline]).0
}

pub fn cancel(board: &Board, id: u64) -> String {
    call(board, "cancel", [id, 0, 0, 0]).1
}

/// What the submitter noted, but for the submissions themselves.
pub fn completed(board: &Board) -> Vec<String> {
    let report = call(board, "report", [0; 4]).1;
    let completed = report.lines().filter(|line| !line.starts_with("submitted"));
    completed.map(str::to_owned).collect()
}

/// What the provider noted.
pub fn provider(board: &Board) -> String {
    let reply = board.call("pending-report", Request::named("report"));
    String::from_utf8(reply.unwrap().data).unwrap()
}

pub fn usage(board: &Board, driver: &str) -> (usize, usize) {
    let status = board.status();
    let driver = status.drivers.iter().find(|status| status.name == driver);
    let usage = driver.unwrap().usage;
    (usage.requests, usage.submissions)
}

pub fn settle(board: &Board) {
    board.run_for(MILLISECOND);
}
