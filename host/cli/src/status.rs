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
