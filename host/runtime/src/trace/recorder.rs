//! Writes traces.

use super::wire::{Put as _, put_number};
use super::{MAGIC, VERSION, chunk};
use crate::recording;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What may wait for the file. A driver whose calls find no room is not recorded any
/// more, until its next instance: drivers do not wait for a disk.
const WAITING_MAX: usize = 16 << 20;

/// Always room for what says that something is missing.
const SLACK: usize = 64 << 10;

/// A file is written at least as often, and when this much waits.
const INTERVAL: Duration = Duration::from_millis(200);
const ENOUGH: usize = 256 << 10;

/// What a buffer keeps.
const KEPT: usize = 4 << 20;

/// Writes down what crosses the boundary of a board's drivers, see
/// [`Builder::trace`](crate::Builder::trace). Never has a driver wait.
pub struct Recorder {
    shared: Arc<Shared>,
    max: usize,
    numbers: Mutex<BTreeMap<String, u64>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    is_over: bool,
    /// The file could not be written: nothing waits any more.
    has_failed: bool,
}

impl Recorder {
    /// To a file; what it holds already is replaced. A thread of its own writes it until
    /// [`finish`](Self::finish), or the end of the last that has it.
    ///
    /// # Errors
    /// The file cannot be created, or the thread.
    pub fn to_file(path: &Path) -> io::Result<Arc<Self>> {
        let file = recording::create(path)?;
        let recorder = Self::with(WAITING_MAX);
        let (shared, path) = (recorder.shared.clone(), path.to_owned());
        let thread = std::thread::Builder::new().name("trace".into());
        let thread = thread.spawn(move || shared.write_to(file, &path))?;
        *recorder.writer.lock() = Some(thread);
        Ok(Arc::new(recorder))
    }

    /// In memory, up to so many bytes; see [`take`](Self::take).
    pub fn in_memory(max: usize) -> Arc<Self> {
        Arc::new(Self::with(max))
    }

    fn with(max: usize) -> Self {
        let recorder = Self {
            shared: Arc::default(),
            max,
            numbers: Mutex::default(),
            writer: Mutex::default(),
        };
        let mut waiting = recorder.shared.waiting.lock();
        waiting.bytes.extend_from_slice(MAGIC);
        put_number(VERSION, &mut waiting.bytes);
        drop(waiting);
        recorder
    }

    /// What was recorded in memory since the last time, the whole of a trace the first
    /// time; the rest of it belongs behind that.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.shared.waiting.lock().bytes)
    }

    /// Nothing more comes: waits until the file has all of it.
    pub fn finish(&self) {
        {
            let mut waiting = self.shared.waiting.lock();
            if waiting.is_over {
                return;
            }
            waiting.is_over = true;
            waiting.put(&[chunk::END]);
            self.shared.more.notify_all();
        }
        if let Some(writer) = self.writer.lock().take() {
            let _ = writer.join();
        }
    }

    /// The number of a driver, the same for the same name.
    pub(super) fn driver(&self, name: &str) -> u64 {
        let mut numbers = self.numbers.lock();
        if let Some(&number) = numbers.get(name) {
            return number;
        }
        let number = numbers.len() as u64;
        numbers.insert(name.to_owned(), number);
        let mut body = vec![chunk::DRIVER];
        put_number(number, &mut body);
        name.put(&mut body);
        self.shared.waiting.lock().put(&body);
        number
    }

    fn name(&self, driver: u64) -> String {
        let numbers = self.numbers.lock();
        let found = numbers.iter().find(|(_, number)| **number == driver);
        found.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// One more chunk; false where there is no room.
    pub(super) fn write(&self, body: &[u8]) -> bool {
        let mut waiting = self.shared.waiting.lock();
        if waiting.bytes.len() + body.len() > self.max {
            return false;
        }
        waiting.put(body);
        if waiting.bytes.len() > ENOUGH {
            self.shared.more.notify_one();
        }
        true
    }

    /// What follows of a driver's instance is missing.
    pub(super) fn lost(&self, driver: u64) {
        let name = self.name(driver);
        tracing::warn!(
            "{name}: there is more to record than is written in time; what this instance does from now on is left out"
        );
        let mut waiting = self.shared.waiting.lock();
        if waiting.bytes.len() > self.max + SLACK {
            return;
        }
        let mut body = vec![chunk::LOST];
        put_number(driver, &mut body);
        waiting.put(&body);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Waiting {
    fn put(&mut self, body: &[u8]) {
        if !self.has_failed {
            put_number(body.len() as u64, &mut self.bytes);
            self.bytes.extend_from_slice(body);
        }
    }
}

impl Shared {
    /// Until the end.
    fn write_to(&self, mut file: File, path: &Path) {
        let mut batch = Vec::new();
        loop {
            let mut waiting = self.waiting.lock();
            if waiting.bytes.len() <= ENOUGH && !waiting.is_over {
                self.more.wait_for(&mut waiting, INTERVAL);
            }
            std::mem::swap(&mut batch, &mut waiting.bytes);
            let is_over = waiting.is_over;
            drop(waiting);
            if let Err(error) = file.write_all(&batch).and_then(|()| is_there(&file)) {
                let path = path.display();
                tracing::error!(
                    "`{path}` cannot be written: {error}; the recording ends here, the board goes on"
                );
                let mut waiting = self.waiting.lock();
                waiting.has_failed = true;
                waiting.bytes = Vec::new();
                return;
            }
            batch.clear();
            // What one flood has taken is not kept.
            batch.shrink_to(KEPT);
            if is_over {
                return;
            }
        }
    }
}

/// Nobody would find what is written to a file without a name.
fn is_there(file: &File) -> io::Result<()> {
    if file.metadata()?.nlink() > 0 {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "it was removed"))
}

#[cfg(test)]
mod tests {
    use super::super::Trace;
    use super::*;

    #[test]
    fn a_driver_has_one_number_and_one_chunk_of_its_name() {
        let recorder = Recorder::in_memory(1_000);
        assert_eq!(["a", "b", "a"].map(|name| recorder.driver(name)), [0, 1, 0]);
        let bytes = recorder.take();
        assert_eq!(
            &bytes[MAGIC.len()..],
            [1, 4, 1, 0, 1, b'a', 4, 1, 1, 1, b'b']
        );
        assert_eq!(recorder.name(1), "b");
    }

    #[test]
    fn what_has_no_room_is_refused_and_told_of() {
        let recorder = Recorder::in_memory(100);
        let driver = recorder.driver("a");
        assert!(!recorder.write(&[0; 200]));
        recorder.lost(driver);
        recorder.finish();
        recorder.finish();
        let trace = Trace::parse(recorder.take()).unwrap();
        let mut entries = trace.entries();
        let lost: Vec<_> = entries
            .by_ref()
            .map(|entry| entry.unwrap().handler())
            .collect();
        assert_eq!(lost, ["lost"]);
        assert!(entries.is_whole());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_given_up() {
        let recorder = Recorder::to_file(Path::new("/dev/full")).unwrap();
        let driver = recorder.driver("a");
        recorder.finish();
        assert!(recorder.write(&[0; 200]) && recorder.take().is_empty());
        recorder.lost(driver);
        assert!(recorder.take().is_empty());
    }
}
