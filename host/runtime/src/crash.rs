//! Crash reports: what is left of a driver's instance, as JSON on disk.
//!
//! They are written by a thread of their own: a slow disk must not hold a gate.

use crate::limits::Limits;
use crate::status::{Counts, Usage};
use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Reports of one driver that are kept.
const KEPT: u64 = 20;
/// Reports that wait for the disk.
const WAITING_MAX: usize = 64;

/// What is known of the death of a driver's instance.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CrashReport {
    /// The version of this form: 1.
    pub schema: u32,
    /// The host's version.
    pub host: &'static str,
    /// The driver's name on its board.
    pub driver: String,
    /// The component's file.
    pub component: String,
    /// The SHA-256 of what was loaded from it, in hex.
    pub sha256: String,
    /// Which instance of the driver it was.
    pub generation: u64,
    /// Nanoseconds by the board's clock.
    pub time_ns: u64,
    /// Why it ended, in the words of the limit or trap.
    pub cause: String,
    /// What becomes of the driver.
    pub then: String,
    /// The handler that it died in; absent where it died in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<&'static str>,
    /// The wasm stack, the innermost function first.
    pub backtrace: Vec<String>,
    /// The instance's last calls, the latest last.
    pub calls: Vec<HandlerCall>,
    /// The interrupt that it had died over before, and that is not delivered
    /// again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
    /// What it might use.
    pub limits: Limits,
    /// What it used, as of the end of its latest handler.
    pub usage: Usage,
    /// What happened so far, over all generations.
    pub counts: Counts,
}

/// A call of a handler.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HandlerCall {
    /// Counts the calls of this instance; the first is 1.
    pub number: u64,
    /// The handler.
    pub handler: &'static str,
    /// The token of the source, or of the gate; absent for other handlers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<u32>,
}

/// An interrupt that nobody gets.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SetAside {
    /// The driver's name for the pin.
    pub pin: String,
    /// The interrupt's number on its line.
    pub sequence: u64,
    /// When it occurred, in nanoseconds.
    pub timestamp_ns: u64,
    /// The level that it led to.
    pub high: bool,
}

/// Where a driver's newest report lies, once it does.
pub(crate) type Latest = Arc<Mutex<Option<PathBuf>>>;

/// Takes reports, to be written.
#[derive(Default)]
pub(crate) struct Crashes {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    reports: VecDeque<(CrashReport, Latest)>,
    closed: bool,
}

/// Writes the reports; dropping it writes those that wait.
pub(crate) struct Writer {
    crashes: Arc<Crashes>,
    thread: Option<JoinHandle<()>>,
}

impl Crashes {
    /// False where too many wait already.
    pub(crate) fn report(&self, report: CrashReport, latest: &Latest) -> bool {
        let mut queue = self.queue.lock();
        let room = queue.reports.len() < WAITING_MAX && !queue.closed;
        if room {
            queue.reports.push_back((report, latest.clone()));
            self.changed.notify_one();
        }
        room
    }

    fn next(&self) -> Option<(CrashReport, Latest)> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(next) = queue.reports.pop_front() {
                return Some(next);
            }
            if queue.closed {
                return None;
            }
            self.changed.wait(&mut queue);
        }
    }
}

impl Writer {
    /// Begins to write into this directory, which is made for the first report.
    pub(crate) fn start(directory: PathBuf) -> io::Result<Self> {
        let crashes = Arc::<Crashes>::default();
        let from = crashes.clone();
        let thread = std::thread::Builder::new()
            .name("crashes".into())
            .spawn(move || {
                let mut folder = Folder::new(directory);
                while let Some((report, latest)) = from.next() {
                    match folder.write(&report) {
                        Ok(path) => *latest.lock() = Some(path),
                        Err(error) => tracing::warn!(
                            "{}: no crash report in `{}`: {error}; make room, or see to its owner and mode",
                            report.driver,
                            folder.directory.display()
                        ),
                    }
                }
            })?;
        Ok(Self {
            crashes,
            thread: Some(thread),
        })
    }

    pub(crate) fn crashes(&self) -> Arc<Crashes> {
        self.crashes.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.crashes.queue.lock().closed = true;
        self.crashes.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed.
            let _ = thread.join();
        }
    }
}

/// `$XDG_STATE_HOME/loopgate`, else `~/.local/state/loopgate`, and in it a folder
/// for this board.
pub(crate) fn default_directory(board: &Path) -> Option<PathBuf> {
    let absolute = |name| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let board = std::path::absolute(board).ok()?;
    let stem = board.file_stem()?.to_str()?;
    // Boards of the same name in other folders have folders of their own.
    let digest = crate::engine::digest(board.as_os_str().as_encoded_bytes());
    let name = format!("{stem}-{}", crate::control::to_hex(&digest[..4]));
    Some(state?.join("loopgate").join(name).join("crashes"))
}

/// For its owner only.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

struct Folder {
    directory: PathBuf,
    /// The number of each driver's next report. Not its time: clocks go back.
    next: BTreeMap<String, u64>,
}

impl Folder {
    fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            next: BTreeMap::new(),
        }
    }

    fn write(&mut self, report: &CrashReport) -> io::Result<PathBuf> {
        make(&self.directory)?;
        let number = match self.next.get(&report.driver) {
            Some(&number) => number,
            None => self.first(&report.driver)?,
        };
        let path = self.path(&report.driver, number);
        // Of this report alone: others may write here.
        let unfinished = path.with_extension("unfinished");
        let mut text = serde_json::to_string_pretty(report)?;
        text.push('\n');
        std::fs::write(&unfinished, text)?;
        std::fs::rename(&unfinished, &path)?;
        self.next.insert(report.driver.clone(), number + 1);
        if let Some(oldest) = number.checked_sub(KEPT) {
            // It may be gone already.
            let _ = std::fs::remove_file(self.path(&report.driver, oldest));
        }
        Ok(path)
    }

    /// A driver's name has no `@`.
    fn path(&self, driver: &str, number: u64) -> PathBuf {
        self.directory.join(format!("{driver}@{number:06}.json"))
    }

    /// The number behind those of an earlier host, of which only so many stay.
    fn first(&self, driver: &str) -> io::Result<u64> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| {
                let rest = name.strip_prefix(driver)?.strip_prefix('@')?;
                rest.strip_suffix(".json")?.parse::<u64>().ok()
            });
            numbers.extend(number);
        }
        let next = numbers
            .iter()
            .max()
            .map_or(1, |last| last.saturating_add(1));
        for number in numbers {
            if number.saturating_add(KEPT) <= next {
                let _ = std::fs::remove_file(self.path(driver, number));
            }
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(driver: &str, generation: u64) -> CrashReport {
        CrashReport {
            schema: 1,
            host: "0",
            driver: driver.to_owned(),
            component: "d.wasm".to_owned(),
            sha256: String::new(),
            generation,
            time_ns: 0,
            cause: "trap".to_owned(),
            then: "failed".to_owned(),
            handler: Some("start"),
            backtrace: Vec::new(),
            calls: Vec::new(),
            set_aside: None,
            limits: Limits::default(),
            usage: Usage::default(),
            counts: Counts::default(),
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let names = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_stay_over_hosts() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("crashes");
        for host in 0..3 {
            let mut folder = Folder::new(directory.clone());
            for generation in 1..=15 {
                folder.write(&report("..", generation)).unwrap();
            }
            folder.write(&report("other", host)).unwrap();
        }
        let names = names(&directory);
        assert_eq!(names.len() as u64, KEPT + 3, "{names:?}");
        assert_eq!(names[0], "..@000026.json");
        assert_eq!(names[22], "other@000003.json");
        let text = std::fs::read_to_string(directory.join("..@000045.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["generation"], 15);
    }

    #[test]
    fn those_that_wait_are_written_at_the_end_and_no_more_than_fit() {
        let directory = tempfile::tempdir().unwrap();
        let full = Crashes::default();
        let latest = Latest::default();
        let taken = (0..100).filter(|&n| full.report(report("d", n), &latest));
        assert_eq!(taken.count(), WAITING_MAX);
        let writer = Writer::start(directory.path().to_owned()).unwrap();
        let crashes = writer.crashes();
        for generation in 0..64 {
            assert!(crashes.report(report("d", generation), &latest));
        }
        drop(writer);
        assert_eq!(names(directory.path()).len() as u64, KEPT);
        assert!(latest.lock().as_ref().unwrap().ends_with("d@000064.json"));
        assert!(!crashes.report(report("d", 0), &latest));
    }
}
