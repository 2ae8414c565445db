//! `loopgate conform`.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use loopgate::VcdFile;
use loopgate_conform::report::Style;
use loopgate_conform::scenario::{self, Scenario};
use loopgate_conform::{Kit, Report, Subject};

use crate::arguments::Conform;
use crate::output::{plain, print};

pub(crate) fn run(arguments: &Conform) -> Result<ExitCode> {
    let scenarios = scenarios(arguments)?;
    let subject = subject(arguments, &scenarios)?;
    // Before the work, which would be lost.
    let junit = arguments.junit.as_deref().map(Output::new).transpose()?;
    let html = arguments.html.as_deref().map(Output::new).transpose()?;
    let report = report(arguments, &subject, &scenarios)?;
    if let Some(output) = junit {
        output.write(&report.to_junit())?;
    }
    if let Some(output) = html {
        output.write(&report.to_html())?;
    }
    print(&if arguments.json {
        report.to_json()
    } else {
        report.to_text(style())
    })?;
    Ok(if report.conforms() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The scenarios first: a mistake in one shows at once.
fn report(arguments: &Conform, subject: &Subject, scenarios: &[Scenario]) -> Result<Report> {
    let (index, count) = arguments.shard;
    let progress = Progress::new();
    let mut played = Vec::new();
    if arguments.check.is_empty() {
        let ours = scenarios
            .iter()
            .zip(1..)
            .filter(|(_, place)| place % count == index % count);
        for (scenario, _) in ours {
            progress.tell(&scenario.name());
            played.push(scenario.run(subject, vcd(arguments, scenario)?)?);
        }
    }
    let kit = Kit::new(subject.clone())
        .seed(arguments.seed)
        .schedules(arguments.schedules)
        .shard(index, count)
        .only(&arguments.check)
        .progress(move |what| progress.tell(what));
    let mut report = kit.run()?;
    report.scenarios = played;
    Ok(report)
}

/// Each in its place, folders by name.
fn scenarios(arguments: &Conform) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for path in &arguments.scenario {
        if path.is_dir() {
            let found = scenario::find(path)?;
            if found.is_empty() {
                bail!(
                    "`{}` has no scenario in it, a TOML file with a `title`",
                    path.display()
                );
            }
            for path in found {
                scenarios.push(Scenario::read(path)?);
            }
        } else {
            scenarios.push(Scenario::read(path)?);
        }
    }
    Ok(scenarios)
}

/// On the board that is given, that of the first scenario, or one made for it.
fn subject(arguments: &Conform, scenarios: &[Scenario]) -> Result<Subject> {
    let (component, driver) = (&arguments.component, arguments.driver.as_deref());
    if let Some(board) = &arguments.board {
        return Ok(Subject::new(component, Some(board), driver)?);
    }
    for scenario in scenarios {
        if let Some(subject) = scenario.subject(component)? {
            return Ok(subject);
        }
    }
    let mut subject = Subject::new(component, None, driver)?;
    subject.grant_what_it_asks()?;
    Ok(subject)
}

fn vcd(arguments: &Conform, scenario: &Scenario) -> Result<Option<VcdFile>> {
    let Some(folder) = &arguments.vcd else {
        return Ok(None);
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    Ok(Some(VcdFile::new(
        folder.join(scenario.name()).with_extension("vcd"),
    )))
}

/// A file that can be written.
struct Output<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Output<'a> {
    fn new(path: &'a Path) -> Result<Self> {
        let file = File::create(path).with_context(|| unwritable(path))?;
        Ok(Self { path, file })
    }

    fn write(mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.with_context(|| unwritable(self.path))
    }
}

fn unwritable(path: &Path) -> String {
    format!(
        "cannot write `{}`; name a file in a folder that is there",
        path.display()
    )
}

fn style() -> Style {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !plain {
        Style::Ansi
    } else {
        Style::Plain
    }
}

/// One line on the standard error that is written over, where that is a terminal.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        let is_shown = std::io::stderr().is_terminal();
        Self { is_shown }
    }

    fn tell(&self, what: &str) {
        if self.is_shown {
            eprint!("{CLEAR}{}", plain(what));
        }
    }
}

/// What stands there is neither the report's nor an error's.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            eprint!("{CLEAR}");
        }
    }
}

const CLEAR: &str = "\r\x1b[K";
