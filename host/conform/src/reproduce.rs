//! A schedule as a scenario, for people: it does the same things at the same times.

use crate::action::{Action, Ask};
use crate::error::Error;
use crate::ground::Ground;
use crate::world::Made;
use std::fmt::Write as _;
use std::time::Duration;

/// The scenario's file. What no scenario can do (give a request up, jump ahead) stands
/// there as a comment.
pub(crate) fn scenario(
    ground: &Ground<'_>,
    actions: &[Action],
    seed: u64,
) -> Result<String, Error> {
    let mut text = format!(
        "# `loopgate conform` shows it again with `--check survives-schedules --seed {seed} --schedules 1`.\n\
         # This does the same things at the same times; what no scenario can do is a comment.\n\
         title = \"Schedule {seed}, shortened\"\nboard = \"board.toml\"\ndriver = {}\n",
        quoted(ground.subject.driver())
    );
    let mut world = ground.world_with(Made {
        schedule: Some(seed),
        ..Made::default()
    })?;
    for (number, action) in actions.iter().enumerate() {
        let at = span(world.time());
        match step(action) {
            Some(step) => {
                let _ = write!(text, "\n[[step]]\nat = \"{at}\"\n{step}\n");
            }
            None if matches!(action, Action::Wait(_) | Action::Next) => {}
            None => {
                let _ = write!(text, "\n# At {at}: {}.\n", action.words());
            }
        }
        world.act(action, number);
    }
    // It has to come to what happens after the last.
    let _ = write!(
        text,
        "\n[[step]]\nat = \"{}\"\npower = \"on\"\n",
        span(world.time() + Duration::from_secs(10))
    );
    Ok(text)
}

fn step(action: &Action) -> Option<String> {
    Some(match action {
        Action::Set { line, high } => {
            let level = if *high { "high" } else { "low" };
            format!("set = {{ line = {}, level = \"{level}\" }}", quoted(line))
        }
        Action::Feed { port, bytes } => {
            format!(
                "feed = {{ port = {}, hex = \"{}\" }}",
                quoted(port),
                hex(bytes)
            )
        }
        Action::Ask(ask) => call(ask),
        Action::Reload => "reload = true".to_owned(),
        Action::Sleep => "power = \"sleep\"".to_owned(),
        Action::Wake => "power = \"on\"".to_owned(),
        Action::Stop { driver } => format!("stop = {}", quoted(driver)),
        Action::Start { driver } => format!("start = {}", quoted(driver)),
        Action::Cancel { .. } | Action::Wait(_) | Action::Next | Action::Skip(_) => return None,
    })
}

fn call(ask: &Ask) -> String {
    let mut text = format!(
        "call = {{ service = {}, selector = {}",
        quoted(&ask.service),
        ask.selector
    );
    if ask.scalars != [0; 4] {
        // What TOML's integers cannot hold is not written.
        let scalars = ask
            .scalars
            .map(|scalar| scalar.min(i64::MAX as u64).to_string());
        let _ = write!(text, ", scalars = [{}]", scalars.join(", "));
    }
    if !ask.data.is_empty() {
        let _ = write!(text, ", hex = \"{}\"", hex(&ask.data));
    }
    if let Some(timeout) = ask.timeout {
        let _ = write!(text, ", within = \"{}\"", span(timeout));
    }
    text + " }"
}

fn hex(bytes: &[u8]) -> String {
    loopgate::control::to_hex(bytes)
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn span(span: Duration) -> String {
    format!("{} ns", span.as_nanos())
}
