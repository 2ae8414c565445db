//! `loopgate start | stop | reload | logs`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use loopgate::control::{Client, DriverNow, Request, Response};
use loopgate::units::show_bytes;
use loopgate::{Handed, LogLine, Revoked};
use serde_json::json;

use crate::arguments::{Logs, Named, Reload, Revoke};
use crate::board;
use crate::output::{plain, print, print_json, print_json_line};
use crate::status::time;

/// One of the requests that change a driver.
pub(crate) fn change(named: Named, request: impl FnOnce(String) -> Request) -> Result<ExitCode> {
    let Named {
        driver,
        json,
        socket,
    } = named;
    let request = request(driver);
    match board::ask(&socket, &request)? {
        Response::Driver { driver, with } => {
            if json {
                let mut told = serde_json::to_value(&driver)?;
                if !with.is_empty() {
                    told["with"] = serde_json::to_value(&with)?;
                }
                print_json(&told)?;
            } else {
                // In the order in which it happened: users stop before.
                let with = with.iter().map(now).collect::<String>();
                let driver = now(&driver);
                print(&match request {
                    Request::Stop { .. } => with + &driver,
                    _ => driver + &with,
                })?;
            }
            Ok(ExitCode::SUCCESS)
        }
        other => board::unexpected(&other),
    }
}

/// A driver's present version takes the running one's place, or the board
/// becomes what its file says.
pub(crate) fn reload(reload: Reload) -> Result<ExitCode> {
    let Reload {
        driver,
        force,
        json,
        socket,
        ..
    } = reload;
    let request = match driver {
        Some(driver) => Request::Reload { driver, force },
        None => Request::ReloadBoard,
    };
    match board::ask(&socket, &request)? {
        Response::Reloaded {
            name,
            state,
            reload,
        } if json => print_json(&json!({
            "name": name, "state": state, "generation": reload.generation, "last-reload": reload
        }))?,
        Response::Reloaded {
            name,
            state,
            reload,
        } => {
            let (name, state) = (plain(&name), plain(&state));
            print(&format!("{name}: {state}, {}", told(&reload)))?;
        }
        Response::Changes(changes) => {
            if json {
                print_json(&changes)?;
            } else {
                print(&plain(&changes.to_string()))?;
            }
            if !changes.refused.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
        }
        other => return board::unexpected(&other),
    }
    Ok(ExitCode::SUCCESS)
}

/// A grant is taken from a driver.
pub(crate) fn revoke(revoke: Revoke) -> Result<ExitCode> {
    let Revoke {
        driver,
        grant,
        json,
        socket,
    } = revoke;
    match board::ask(&socket, &Request::Revoke { driver, grant })? {
        Response::Revoked(revoked) if json => print_json(&revoked)?,
        Response::Revoked(revoked) => print(&taken(&revoked))?,
        other => return board::unexpected(&other),
    }
    Ok(ExitCode::SUCCESS)
}

fn taken(revoked: &Revoked) -> String {
    let closed = counted([
        (revoked.pins, "pins"),
        (revoked.ports, "ports"),
        (revoked.devices, "devices on buses"),
        (revoked.interrupts, "interrupt sources"),
        (revoked.clients, "clients"),
    ]);
    let (driver, grant) = (plain(&revoked.driver), plain(&revoked.grant));
    format!(
        "{driver}: {grant} is revoked; closed: {closed}; {} requests were cancelled, {} interrupts were lost\n",
        revoked.requests, revoked.lost
    )
}

/// What there is of each, in words.
fn counted<const N: usize>(parts: [(u64, &str); N]) -> String {
    let had = parts.into_iter().filter(|&(count, _)| count > 0);
    let had: Vec<_> = had.map(|(count, what)| format!("{count} {what}")).collect();
    if had.is_empty() {
        "nothing".to_owned()
    } else {
        had.join(", ")
    }
}

/// What there is to say of a reload.
pub(crate) fn told(reload: &loopgate::Reload) -> String {
    let Handed {
        pins,
        ports,
        interrupts,
        timers,
        gates,
        services,
        requests,
    } = reload.handed_over;
    let had = counted([
        (pins, "pins"),
        (ports, "ports"),
        (interrupts, "interrupt sources"),
        (timers, "timers"),
        (gates, "gates"),
        (services, "services"),
        (requests, "requests"),
    ]);
    let state = match reload.state_bytes {
        Some(bytes) => format!("with {} of state", show_bytes(bytes)),
        None => "started afresh".to_owned(),
    };
    format!(
        "generation {}, {state}; its gate was closed for {}, {} events waited, {} were lost; handed over: {had}",
        reload.generation,
        time(reload.gate_closed_ns),
        reload.events_waiting,
        reload.lost,
    )
}

fn now(driver: &DriverNow) -> String {
    let (name, state) = (plain(&driver.name), plain(&driver.state));
    format!("{name}: {state}, generation {}\n", driver.generation)
}

/// How long one request waits for a line: the host's answer to a connection
/// that broke unseen is late by so much.
const WAIT: Duration = Duration::from_secs(20);

pub(crate) fn logs(logs: &Logs) -> Result<ExitCode> {
    let mut client = Client::connect(&logs.socket.place())?;
    let mut ask = |after, wait: Duration| {
        let request = Request::Logs {
            driver: logs.driver.clone(),
            after,
            wait_ms: wait.as_millis() as u64,
        };
        match client.ask(&request)? {
            Response::Logs(lines) => Ok(lines),
            Response::Error(error) => Err(error.into()),
            other => board::unexpected(&other),
        }
    };
    let lines: Vec<LogLine> = ask(0, Duration::ZERO)?;
    let skipped = lines.len().saturating_sub(logs.lines);
    show(&lines[skipped..], logs.json)?;
    let mut latest = lines.last().map_or(0, |line| line.sequence);
    if !logs.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let lines = ask(latest, WAIT)?;
        show(&lines, logs.json)?;
        latest = lines.last().map_or(latest, |line| line.sequence);
    }
}

fn show(lines: &[LogLine], json: bool) -> Result<()> {
    if json {
        return lines.iter().try_for_each(print_json_line);
    }
    print(&lines.iter().map(shown).collect::<Vec<_>>().concat())
}

fn shown(line: &LogLine) -> String {
    let at = Duration::from_nanos(line.time_ns);
    let (seconds, millis) = (at.as_secs(), at.subsec_millis());
    let level = plain(&line.level).to_uppercase();
    format!(
        "{seconds:>6}.{millis:03}  {level:<5}  {}\n",
        plain(&line.text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_time_level_and_text() {
        let line = LogLine {
            sequence: 1,
            time_ns: 12_345_678_901,
            level: "warn".into(),
            text: "a\u{1b}[2Jb".into(),
        };
        assert_eq!(shown(&line), "    12.345  WARN   a\\u{1b}[2Jb\n");
    }
}
