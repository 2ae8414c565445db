//! Scenarios: what a driver is meant to do, in a small file. `SCENARIOS.md` has the
//! format.

mod bytes;
mod evidence;
mod expectation;
mod format;
mod run;
mod step;
mod time;
mod trace;

use crate::error::{Error, invalid, line_of, unreadable};
use crate::report::ScenarioResult;
use crate::subject::Subject;
use format::File;
use loopgate::VcdFile;
use std::path::{Path, PathBuf};
use std::time::Duration;
use step::Step;

/// The most that is read of a scenario, and of a file that it feeds to a port.
const FILE_MAX: u64 = 1 << 20;
/// The most steps.
const STEPS_MAX: usize = 10_000;
/// The longest scenario.
const LENGTH_MAX: Duration = Duration::from_hours(366 * 24);

/// A scenario, read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    path: PathBuf,
    title: String,
    board: Option<PathBuf>,
    driver: Option<String>,
    restarts: u64,
    /// In the order of their times, and those of one time in the file's.
    steps: Vec<Step>,
}

impl Scenario {
    /// Reads and checks a scenario.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = String::from_utf8(read(path)?).map_err(|error| Error::Unreadable {
            path: path.to_owned(),
            cause: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })?;
        Self::parse(&text, path)
    }

    /// Checks a scenario's text; `path` is what its relative paths and the errors
    /// refer to.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        if text.len() as u64 > FILE_MAX {
            return Err(too_large(path));
        }
        let file: File = toml::from_str(text).map_err(|error| unreadable(path, text, &error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = bytes::Folder::new(folder);
        if file.steps.is_empty() {
            let message = "a scenario without a step shows nothing; write a [[step]]";
            return Err(invalid(path, 1, message));
        }
        if file.steps.len() > STEPS_MAX {
            let message = format!("a scenario has at most {STEPS_MAX} steps; divide it");
            return Err(invalid(path, 1, message));
        }
        let mut steps = Vec::new();
        for entry in file.steps {
            let line = line_of(text, &entry.at.span());
            let step = Step::new(entry, line, &files);
            let step = step.map_err(|message| invalid(path, line, message))?;
            if step.end() > LENGTH_MAX.as_nanos() as u64 {
                let message = "this ends more than 366 days after the begin; end earlier";
                return Err(invalid(path, line, message));
            }
            steps.push(step);
        }
        steps.sort_by_key(|step| step.at);
        Ok(Self {
            path: path.to_owned(),
            title: file.title,
            board: file.board.map(|board| folder.join(board)),
            driver: file.driver,
            restarts: file.restarts,
            steps,
        })
    }

    /// The file without its ending.
    pub fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it shows.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The component on the board that this scenario names; `None` where it names none,
    /// and is played on whatever board its driver has.
    pub fn subject(&self, component: &Path) -> Result<Option<Subject>, Error> {
        let Some(board) = &self.board else {
            return Ok(None);
        };
        Subject::new(component, Some(board), self.driver.as_deref()).map(Some)
    }

    /// Plays it on the board that it names, or else on that of `subject`, and writes
    /// the levels of the board's lines to `record`.
    ///
    /// # Errors
    ///
    /// Where it cannot be played: for example, it speaks of a line that the board does
    /// not have.
    pub fn run(&self, subject: &Subject, record: Option<VcdFile>) -> Result<ScenarioResult, Error> {
        let own = self.subject(subject.component())?;
        run::run(self, own.as_ref().unwrap_or(subject), record)
    }

    /// How long it takes, in nanoseconds of the board's time.
    fn length(&self) -> u64 {
        self.steps.iter().map(Step::end).max().unwrap_or(0)
    }
}

/// The scenarios in a folder, by name: every `.toml` but `board.toml` and those that
/// end in `.board.toml`, which are boards.
pub fn find(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
    let folder = folder.as_ref();
    let unreadable = |cause| Error::Unreadable {
        path: folder.to_owned(),
        cause,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_toml = path.extension().is_some_and(|ending| ending == "toml");
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if is_toml && stem != "board" && !stem.ends_with(".board") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    crate::file::read(path, FILE_MAX)
}

fn too_large(path: &Path) -> Error {
    Error::TooLarge {
        path: path.to_owned(),
        limit: FILE_MAX,
    }
}

#[cfg(test)]
mod tests;
