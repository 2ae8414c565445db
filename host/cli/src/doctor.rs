//! `loopgate doctor`: what this machine has, what a board asks of it, and the commands
//! that mend what is missing. Nothing is touched for it.

mod advice;
mod chips;
mod finding;
mod grants;
mod remedy;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use loopgate::devices::linux::survey::Survey;
use loopgate::{BoardFile, HostFacts};
use serde::Serialize;

use crate::arguments::Doctor;
use crate::output::{print, print_json};
use finding::Finding;

/// All that is said.
#[derive(Serialize)]
struct Report {
    host: HostFacts,
    machine: Survey,
    /// About the machine, whatever runs there.
    advice: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<BoardReport>,
}

/// What a board file asks of the machine.
#[derive(Serialize)]
struct BoardReport {
    path: String,
    backend: &'static str,
    /// Each thing that it asks for, in the order in which drivers start.
    grants: Vec<Finding>,
}

pub(crate) fn run(doctor: &Doctor) -> Result<ExitCode> {
    let file = doctor.board.as_ref().map(BoardFile::read).transpose()?;
    let host = HostFacts::of(&doctor.socket.place());
    let report = Report::of(host, Survey::of(Path::new("/")), file.as_ref());
    if doctor.json {
        print_json(&report)?;
    } else {
        print(&text::of(&report))?;
    }
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Report {
    fn of(host: HostFacts, machine: Survey, file: Option<&BoardFile>) -> Self {
        Self {
            advice: advice::about(&host, &machine),
            board: file.map(|file| BoardReport {
                path: file.path().display().to_string(),
                backend: file.board.backend.name(),
                grants: grants::of(file, &host, &machine),
            }),
            host,
            machine,
        }
    }

    /// Whether all that was asked for is there.
    fn is_good(&self) -> bool {
        let board = self.board.iter();
        let mut asked = board.flat_map(|board| &board.grants);
        asked.all(Finding::is_good)
    }
}
