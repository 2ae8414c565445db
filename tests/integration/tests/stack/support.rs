//! What the tests share: drivers that open, close and tell what they are told.

use loopgate::{Board, Cancel, Request};
use loopgate_integration::{entry, guest, log};
use std::time::Duration;

pub const MILLISECOND: Duration = Duration::from_millis(1);

/// Where a board places a driver: on its provider's loop, or not.
pub const LOOPS: [&str; 2] = ["provider", "dedicated"];

/// A driver that offers a service of its own name, and opens those it uses.
pub fn part(name: &str, uses: &[&str], work_loop: &str, config: &str, more: &str) -> String {
    let open = uses.join(" ");
    let uses: Vec<_> = uses
        .iter()
        .map(|service| format!("\"{service}\""))
        .collect();
    let rest = format!(
        "provides = [\"{name}\", \"{name}-control\"]\nuses = [{}]\nwork-loop = \"{work_loop}\"\n\
         config = {{ service = \"{name}\", open = \"{open}\"{config} }}\n{more}",
        uses.join(", ")
    );
    entry(name, &guest("probe_stack"), &rest)
}

/// `top` on `middle` on `low`.
pub fn three(work_loop: &str, config: &str, more: &str) -> String {
    part("low", &[], work_loop, "", "")
        + &part("middle", &["low"], work_loop, config, more)
        + &part("top", &["middle"], work_loop, config, more)
}

pub fn closing(limit: &str) -> String {
    format!("limits = {{ closing = \"{limit}\" }}")
}

/// What a driver has logged itself.
pub fn logged(board: &Board, driver: &str) -> Vec<String> {
    let lines = board.logs(driver, 0, Duration::ZERO, &Cancel::default());
    lines.unwrap().into_iter().map(|line| line.text).collect()
}

/// What drivers have said themselves while `f` ran, in their order: `NAME: TEXT`.
pub fn said<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    let (result, log) = log::capture(f);
    let said = log.lines().filter_map(|line| {
        let (_, text) = line.split_once(" driver: ")?;
        Some(text.to_owned())
    });
    (result, said.collect())
}

/// Asks a driver to do something about a service.
pub fn tell(board: &Board, driver: &str, selector: &str, service: &str) -> String {
    let reply = board.call(driver, Request::named(selector).data(service));
    String::from_utf8(reply.unwrap().data).unwrap()
}

pub fn settled(board: &Board) {
    board.run_for(MILLISECOND);
}

pub fn elapsed<R>(board: &Board, f: impl FnOnce() -> R) -> (R, Duration) {
    let begun = board.now();
    let result = f();
    (result, board.now().saturating_since(begun))
}

/// `middle` closes `low` when the line changes.
pub fn closes_on_edge(limit: &str) -> String {
    format!(
        "{}\n[driver.gpio]\nin = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}",
        closing(limit)
    )
}

pub fn commands(board: &Board, driver: &str) -> u64 {
    let status = board.status();
    let driver = status.drivers.iter().find(|status| status.name == driver);
    driver.unwrap().counts.commands
}

/// How often its `stop` was called.
pub fn stops(board: &Board, driver: &str) -> usize {
    let lines = logged(board, driver);
    lines.iter().filter(|line| *line == "stop").count()
}
