//! `loopgate start | stop | reload | logs`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use loopgate::LogLine;
use loopgate::control::{Client, DriverNow, Request, Response};

use crate::arguments::{Logs, Named, Reload};
use crate::board;
use crate::output::{plain, print, print_json, print_json_line};

/// One of the requests that change a driver.
pub(crate) fn change(named: Named, request: impl FnOnce(String) -> Request) -> Result<ExitCode> {
    let Named {
        driver,
        json,
        socket,
    } = named;
    match board::ask(&socket, &request(driver))? {
        Response::Driver { driver, with } => {
            if json {
                let mut told = serde_json::to_value(&driver)?;
                if !with.is_empty() {
                    told["with"] = serde_json::to_value(&with)?;
                }
                print_json(&told)?;
            } else {
                let all = std::iter::once(&driver).chain(&with);
                print(&all.map(now).collect::<Vec<_>>().concat())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        other => board::unexpected(&other),
    }
}

/// A driver's present version, or the board file's.
pub(crate) fn reload(reload: Reload) -> Result<ExitCode> {
    let Reload {
        driver,
        json,
        socket,
        ..
    } = reload;
    if let Some(driver) = driver {
        let named = Named {
            driver,
            json,
            socket,
        };
        return change(named, |driver| Request::Reload { driver });
    }
    match board::ask(&socket, &Request::ReloadBoard)? {
        Response::Changes(changes) if json => print_json(&changes)?,
        Response::Changes(changes) => print(&plain(&changes.to_string()))?,
        other => return board::unexpected(&other),
    }
    Ok(ExitCode::SUCCESS)
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
