//! `loopgate status`.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use loopgate::control::{Request, Response};
use serde_json::Value;

use crate::arguments::Status;
use crate::board;
use crate::output::{print, print_json};

mod detail;
mod overview;
mod view;

pub(crate) use view::time;
use view::{Driver, Overview};

pub(crate) fn run(status: &Status) -> Result<ExitCode> {
    let value = match board::ask(&status.socket, &Request::Status)? {
        Response::Status(value) => value,
        other => return board::unexpected(&other),
    };
    let board = Overview::deserialize(&value)?;
    match &status.name {
        None if status.json => print_json(&value)?,
        None => print(&overview::text(&board))?,
        Some(name) => {
            let position = named(&board, name)?;
            if status.json {
                // What the host sent, also what this program does not know.
                print_json(
                    value
                        .pointer(&format!("/drivers/{position}"))
                        .unwrap_or(&Value::Null),
                )?;
            } else {
                print(&detail::text(&board.drivers[position]))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Overview {
    fn deserialize(value: &Value) -> Result<Self> {
        serde::Deserialize::deserialize(value)
            .context("cannot read the host's status: it is of another version; restart it")
    }
}

/// The driver of that name, or the one with the service of that name.
fn named(board: &Overview, name: &str) -> Result<usize> {
    let position = |is: &dyn Fn(&Driver) -> bool| board.drivers.iter().position(is);
    let serves = |driver: &Driver| driver.services.iter().any(|service| service.name == name);
    if let Some(found) = position(&|driver| driver.name == name).or_else(|| position(&serves)) {
        return Ok(found);
    }
    let known: Vec<_> = board
        .drivers
        .iter()
        .map(|driver| format!("`{}`", driver.name))
        .collect();
    if known.is_empty() {
        bail!("the board has no driver or service `{name}`, nor any other");
    }
    bail!(
        "the board has no driver or service `{name}`; its drivers are {}",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn board() -> Value {
        json!({
            "board": "board.toml", "clock": "real", "uptime-ns": 12_345_678_901_u64, "of-a-later-version": 1,
            "drivers": [{
                "name": "echo", "component": "echo.wasm", "work-loop": "board", "state": "failed",
                "cause": "limit `memory`: a\u{1b}[2Jb", "generation": 2, "pins": {"led": "GPIO27", "irq": "GPIO5"},
                "left-lines": {"irq": "limit `line-hold`"},
                "limits": {"memory": 4 << 20, "log": 1024, "handler-cpu": "10 ms"},
                "usage": {"memory": 0}, "counts": {"calls": 7},
                "handler-time": {"measured": 1, "mean-ns": 900, "longest-ns": 84_000},
                "services": [{"name": "echo", "enabled": false, "input-max": 64, "selectors": [
                    {"number": 1, "name": "same", "input": "", "output": "the same"}]}],
            }],
        })
    }

    #[test]
    fn an_overview_has_a_row_a_driver_and_the_causes_of_failures() {
        let text = overview::text(&Overview::deserialize(&board()).unwrap());
        assert_eq!(
            text,
            "board.toml, real clock, up 12 s\n\n\
             DRIVER  STATE   GENERATION  LOOP   CALLS  INTERRUPTS  LOST  TIMEOUTS  COMMANDS    MEAN  LONGEST\n\
             echo    failed           2  board      7           0     0         0         0  900 ns    84 us\n\n\
             echo: limit `memory`: a\\u{1b}[2Jb\n"
        );
    }

    #[test]
    fn an_overview_says_whether_the_board_sleeps() {
        let mut board = board();
        board["power"] = "sleep".into();
        let text = overview::text(&Overview::deserialize(&board).unwrap());
        assert!(
            text.starts_with("board.toml, real clock, power sleep, up 12 s\n"),
            "{text}"
        );
    }

    #[test]
    fn an_overview_says_whose_the_lines_are() {
        let mut board = board();
        board["backend"] = "linux".into();
        let text = overview::text(&Overview::deserialize(&board).unwrap());
        assert!(
            text.starts_with("board.toml, backend linux, real clock, up 12 s\n"),
            "{text}"
        );
    }

    #[test]
    fn the_detail_of_a_driver_lists_what_its_services_can_be_asked() {
        let board = Overview::deserialize(&board()).unwrap();
        let text = detail::text(&board.drivers[0]);
        for part in [
            "echo: failed: limit `memory`: a\\u{1b}[2Jb\n",
            "service `echo`, input up to 64 B, disabled now\n  1  same  nothing -> the same\n",
            "  memory         4 MiB\n",
            "  log          1 KiB/s\n",
            "pins\n  irq  GPIO5  interrupts no more: limit `line-hold`\n  led  GPIO27\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_name_is_a_drivers_or_a_services() {
        let mut value = board();
        value["drivers"][0]["name"] = json!("other");
        let board = Overview::deserialize(&value).unwrap();
        assert_eq!(named(&board, "other").unwrap(), 0);
        assert_eq!(named(&board, "echo").unwrap(), 0);
        let error = named(&board, "radio").unwrap_err().to_string();
        assert_eq!(
            error,
            "the board has no driver or service `radio`; its drivers are `other`"
        );
    }
}
