//! Writing what happens on a board's lines to a VCD file.
//!
//! Levels are voltages, as [`SimBoard::show`] has them. A change is written
//! with its own time, which can be a little older than that of a change which
//! is known already: a player that woke late applies its edges with the times
//! that they were scheduled for. So changes wait until none can come before
//! them any more, at most for [`WINDOW`], and are then written in order.
//!
//! A second of real time after it became known a change is on its way to the
//! disk, even where nothing follows: a host that is killed leaves whole lines.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use loopgate_workloop::Instant;
use parking_lot::{Condvar, Mutex};

use super::{ObserverId, SimBoard};
use crate::gpio::Error;

mod dump;
mod names;

use dump::Dump;

/// How much older than the newest change one can be and still find its place
/// in the file. One that is older yet is written with the file's last time.
pub const WINDOW: Duration = Duration::from_secs(1);
/// So many changes wait for their place in the file at most.
pub const WAITING_MAX: usize = 1 << 16;

/// How often what waits is written.
const PERIOD: Duration = Duration::from_secs(1);

/// How fine the times of a VCD are: a power of ten from 1 ns to 1 ms.
///
/// The format would allow a nanosecond always. But programs of sigrok's expand a
/// VCD into samples of this length, and at a nanosecond a second has a billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    nanos: u64,
}

impl Resolution {
    /// `None` where `span` is no power of ten from 1 ns to 1 ms.
    pub fn new(span: Duration) -> Option<Self> {
        let nanos = u64::try_from(span.as_nanos()).ok()?;
        let known = (0..=6).map(|power| 10_u64.pow(power));
        known
            .into_iter()
            .find(|known| *known == nanos)
            .map(|nanos| Self { nanos })
    }

    /// Its length.
    pub fn span(self) -> Duration {
        Duration::from_nanos(self.nanos)
    }
}

impl Default for Resolution {
    /// 1 us.
    fn default() -> Self {
        Self { nanos: 1_000 }
    }
}

/// A recording that has not begun.
pub struct Recorder {
    board: Arc<SimBoard>,
    lines: Vec<String>,
    resolution: Resolution,
}

impl Recorder {
    /// Records these lines, or every line where there are none of them.
    ///
    /// # Errors
    ///
    /// [`Error::NoLine`].
    pub fn new(
        board: &Arc<SimBoard>,
        lines: &[String],
        resolution: Resolution,
    ) -> Result<Self, Error> {
        for name in lines {
            board.pins.lock().find(name)?;
        }
        Ok(Self {
            board: Arc::clone(board),
            lines: lines.to_vec(),
            resolution,
        })
    }

    /// Begins to write to `file`: with the levels as they are, which are the
    /// file's at time 0, that of `start`. Where the file cannot be written any more `on_fault`
    /// is told so, once, and the recording is over; the board goes on.
    ///
    /// # Errors
    ///
    /// What the operating system says of a new thread.
    pub fn start(
        self,
        file: File,
        start: Instant,
        on_fault: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Recording> {
        let dump = Dump::new(file, self.resolution.nanos, start, Box::new(on_fault));
        let shared = Arc::new(Shared {
            dump: Mutex::new(dump),
            turn: Condvar::new(),
        });
        let writer = thread::Builder::new().name("vcd".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.write_now_and_then()
        })?;
        // While this is held a change waits for its turn behind the levels
        // that the file begins with; one of those may be in them already.
        let mut dump = shared.dump.lock();
        let observer = self.board.observe({
            let shared = Arc::clone(&shared);
            move |change| shared.change(change.line, change.high, change.timestamp)
        });
        let lines = self.board.show().into_iter();
        let lines = lines.filter(|line| self.lines.is_empty() || self.lines.contains(&line.name));
        dump.begin(lines.map(|line| (line.name, line.high)).collect());
        drop(dump);
        shared.turn.notify_all();
        Ok(Recording {
            board: self.board,
            shared,
            observer,
            writer: Some(writer),
        })
    }
}

/// A running recording. Dropping it completes the file.
#[must_use = "dropping the recording ends it"]
pub struct Recording {
    board: Arc<SimBoard>,
    shared: Arc<Shared>,
    observer: ObserverId,
    writer: Option<JoinHandle<()>>,
}

impl Recording {
    /// Completes the file, up to now, as dropping does.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.board.unobserve(self.observer);
        self.shared.dump.lock().finish(self.board.clock.now());
        self.shared.turn.notify_all();
        if let Some(writer) = self.writer.take() {
            // It panics only where `on_fault` does, and the panic hook told so.
            let _ = writer.join();
        }
    }
}

struct Shared {
    // Lock order: before the board's own locks. Never held by whoever holds one.
    dump: Mutex<Dump>,
    /// Signalled when there is something to write again, and at the end.
    turn: Condvar,
}

impl Shared {
    fn change(&self, line: &str, high: bool, at: Instant) {
        let mut dump = self.dump.lock();
        let was_idle = dump.is_idle();
        dump.change(line, high, at);
        if was_idle && !dump.is_idle() {
            self.turn.notify_all();
        }
    }

    /// Sleeps for as long as there is nothing to write.
    fn write_now_and_then(&self) {
        let mut dump = self.dump.lock();
        while !dump.is_over() {
            if dump.is_idle() {
                self.turn.wait(&mut dump);
            } else {
                // Woken before that by the end alone.
                self.turn.wait_for(&mut dump, PERIOD);
                dump.settle();
            }
        }
    }
}
