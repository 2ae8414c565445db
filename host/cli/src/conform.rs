//! `loopgate conform`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use loopgate::VcdFile;
use loopgate_conform::report::Style;
use loopgate_conform::scenario::{self, Scenario};
use loopgate_conform::{Kit, Report, Subject};

use crate::arguments::{Conform, Format};
use crate::output::{plain, print};

pub(crate) fn run(arguments: &Conform) -> Result<ExitCode> {
    let scenarios = scenarios(arguments)?;
    let subject = subject(arguments, &scenarios)?;
    let report = report(arguments, subject, &scenarios)?;
    for (path, text) in [
        (&arguments.json, Report::to_json as fn(&Report) -> String),
        (&arguments.junit, Report::to_junit),
        (&arguments.html, Report::to_html),
    ] {
        if let Some(path) = path {
            write(path, &text(&report))?;
        }
    }
    print(&match arguments.format {
        Format::Human => report.to_text(style()),
        Format::Json => report.to_json(),
        Format::Junit => report.to_junit(),
    })?;
    Ok(if report.conforms() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(arguments: &Conform, subject: Subject, scenarios: &[Scenario]) -> Result<Report> {
    let (index, count) = arguments.shard;
    let progress = Progress::new(arguments);
    let teller = progress.teller();
    for id in &arguments.check {
        if !Kit::checks().any(|known| known == id) {
            let known: Vec<_> = Kit::checks().collect();
            bail!(
                "there is no check `{}`; there is {}",
                plain(id),
                known.join(", ")
            );
        }
    }
    let component = subject.component().to_owned();
    let kit = Kit::new(subject.clone())
        .seed(arguments.seed)
        .schedules(arguments.schedules)
        .shard(index, count)
        .only(&arguments.check)
        .progress(teller);
    let mut report = kit.run()?;
    if arguments.check.is_empty() {
        let ours = scenarios
            .iter()
            .zip(1..)
            .filter(|(_, place)| place % count == index % count);
        for (scenario, _) in ours {
            progress.tell(&scenario.name());
            let own = match arguments.board {
                Some(_) => None,
                None => scenario.subject(&component)?,
            };
            let result =
                scenario.run(own.as_ref().unwrap_or(&subject), vcd(arguments, scenario)?)?;
            report.scenarios.push(result);
        }
    }
    progress.end();
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

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
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
#[derive(Clone, Copy)]
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn new(arguments: &Conform) -> Self {
        let is_shown = std::io::stderr().is_terminal() && arguments.format == Format::Human;
        Self { is_shown }
    }

    fn tell(self, what: &str) {
        if self.is_shown {
            eprint!("\r\x1b[K{}", plain(what));
        }
    }

    fn teller(self) -> impl Fn(&str) {
        move |what| self.tell(what)
    }

    fn end(self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}
