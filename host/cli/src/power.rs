//! `loopgate power`.

use std::process::ExitCode;

use anyhow::Result;
use loopgate::PowerState;
use loopgate::control::{Request, Response};
use serde_json::json;

use crate::arguments::{Power, PowerChange};
use crate::board;
use crate::output::{print, print_json};

pub(crate) fn run(power: &Power) -> Result<ExitCode> {
    let state = match power.change {
        PowerChange::Sleep => PowerState::Sleep,
        PowerChange::Wake => PowerState::On,
    };
    match board::ask(&power.socket, &Request::Power { state })? {
        Response::Done if power.json => print_json(&json!({ "power": state }))?,
        Response::Done => print(&format!("power: {}", state.name()))?,
        other => return board::unexpected(&other),
    }
    Ok(ExitCode::SUCCESS)
}
