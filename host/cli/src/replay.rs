//! `loopgate replay`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use loopgate::trace::{Divergence, ReplayError, Summary, Trace, replay};
use serde::Serialize;

use crate::arguments::Replay;
use crate::output::{plain, print, print_json};

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Replayed {
    diverged: bool,
    #[serde(flatten)]
    summary: Option<Summary>,
    #[serde(flatten)]
    divergence: Option<Divergence>,
}

pub(crate) fn run(arguments: &Replay) -> Result<ExitCode> {
    let trace = Trace::read(&arguments.recording)
        .with_context(|| format!("cannot replay `{}`", arguments.recording.display()))?;
    let replayed = replay(&trace, arguments.driver.as_deref(), &arguments.component);
    let (summary, divergence) = match replayed {
        Ok(summary) => (Some(summary), None),
        Err(ReplayError::Diverged(divergence)) => (None, Some(*divergence)),
        Err(error) => return Err(error.into()),
    };
    let diverged = divergence.is_some();
    if arguments.json {
        print_json(&Replayed {
            diverged,
            summary,
            divergence,
        })?;
    } else if let Some(divergence) = divergence {
        print(&lines(&divergence.to_string()))?;
    } else if let Some(summary) = summary {
        print(&told(&summary))?;
    }
    Ok(if diverged {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What drivers say is in it.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(plain).collect();
    lines.join("\n")
}

fn told(summary: &Summary) -> String {
    let mut text = format!(
        "driver `{}`: the same, {} handlers with {} calls in {} instances",
        plain(&summary.driver),
        summary.handlers,
        summary.calls,
        summary.instances
    );
    if summary.is_other_component {
        text += "\nthe component is not the one that was recorded";
    }
    if summary.is_lossy {
        text += "\nsome of it was not recorded in time, and is left out";
    }
    if !summary.is_whole {
        text += "\nthe recording was cut off here";
    }
    text
}
