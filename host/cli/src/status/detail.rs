//! One driver, all of it.

use std::collections::BTreeMap;

use loopgate::units::show_bytes;
use serde_json::Value;

use super::view::{Driver, Restarts, Service, time};
use crate::drivers::told;
use crate::output::{plain, table};

/// The figures that are bytes.
const BYTES: [&str; 4] = ["memory", "stack", "payload", "state"];

pub(super) fn text(driver: &Driver) -> String {
    let cause = driver
        .cause
        .as_ref()
        .map(|cause| format!(": {}", plain(cause)));
    let times = &driver.handler_time;
    let mut text = format!(
        "{}: {}{}\n  component     {}\n  work loop     {}\n  generation    {}\n  \
         handler time  mean {}, longest {}, of {} measured\n",
        plain(&driver.name),
        plain(&driver.state),
        cause.unwrap_or_default(),
        plain(&driver.component),
        plain(&driver.work_loop),
        driver.generation,
        time(times.mean_ns),
        time(times.longest_ns),
        times.measured,
    );
    text += &restarts(&driver.restarts);
    if let Some(reload) = &driver.last_reload {
        text += "  last reload   ";
        text += &told(reload);
        text.push('\n');
    }
    if !driver.revoked.is_empty() {
        text += "  revoked       ";
        text += &plain(&driver.revoked.join(", "));
        text.push('\n');
    }
    text += &figures("counts", &driver.counts);
    text += &figures("usage", &driver.usage);
    text += &figures("limits", &driver.limits);
    text += &section(
        "pins",
        driver.pins.iter().map(|(name, line)| {
            let left = driver.left_lines.get(name);
            let left = left.map(|cause| format!("  interrupts no more: {cause}"));
            vec![name.clone(), line.clone() + &left.unwrap_or_default()]
        }),
    );
    text + &driver
        .services
        .iter()
        .map(service)
        .collect::<Vec<_>>()
        .concat()
}

fn restarts(restarts: &Restarts) -> String {
    let next = restarts
        .next_ns
        .map(|span| format!(", the next in {}", time(span)));
    let left = restarts.left.map(|left| format!(", {left} left"));
    let aside = match restarts.set_aside {
        0 => String::new(),
        aside => format!(", {aside} interrupts set aside"),
    };
    let report = restarts
        .crash_report
        .as_ref()
        .map(|path| format!("  crash report  {}\n", plain(path)));
    format!(
        "  restarts      {}{}{}{aside}\n{}",
        restarts.made,
        left.unwrap_or_default(),
        next.unwrap_or_default(),
        report.unwrap_or_default()
    )
}

fn service(service: &Service) -> String {
    let closed = if service.enabled {
        ""
    } else {
        ", disabled now"
    };
    let head = format!(
        "service `{}`, input up to {}{closed}",
        service.name,
        show_bytes(service.input_max)
    );
    let selectors = service.selectors.iter().map(|selector| {
        let input = if selector.input.is_empty() {
            "nothing"
        } else {
            &selector.input
        };
        vec![
            selector.number.to_string(),
            selector.name.clone(),
            format!("{input} -> {}", selector.output),
        ]
    });
    section(&head, selectors)
}

fn figures(head: &str, values: &BTreeMap<String, Value>) -> String {
    section(
        head,
        values
            .iter()
            .map(|(name, value)| vec![name.clone(), figure(name, value)]),
    )
}

fn figure(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_u64() {
            Some(bytes) if name == "log" => format!("{}/s", show_bytes(bytes)),
            Some(percent) if name == "loop-share" => format!("{percent} %"),
            Some(bytes) if BYTES.contains(&name) => show_bytes(bytes),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn section(head: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows
        .map(|row| row.iter().map(|cell| plain(cell).into_owned()).collect())
        .collect();
    let lines: Vec<_> = table(&rows)
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    let lines = if lines.is_empty() {
        "  none\n".to_owned()
    } else {
        lines.concat()
    };
    format!("{}\n{lines}", plain(head))
}
