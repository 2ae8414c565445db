//! Reloads drivers whose component's file changes.

use crate::Board;
use crate::error::ErrorCode;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// A file counts as written when nothing has changed for so long: linkers and
/// copies write piece by piece.
const SETTLED: Duration = Duration::from_millis(100);

/// How often to look where the system does not tell: no inotify, or a folder
/// that does not exist now.
const GLANCE: Duration = Duration::from_secs(1);

/// After how long a version that was refused as `busy` is tried again, at first and
/// at last: each time twice as long.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(32)];

/// Whatever can happen to a file in a folder.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(OTHERWISE);

/// That a path leads elsewhere from now on, said by what it led through: a
/// folder, or a link to one.
const OTHERWISE: WatchFlags = WatchFlags::DELETE_SELF
    .union(WatchFlags::MOVE_SELF)
    // Both may be asked of one folder.
    .union(WatchFlags::MASK_ADD);

/// Watches the components of a board, and reloads a driver when the content of
/// its component's file changes ([`Board::reload`]). A version that cannot be
/// loaded leaves the old one running; what came of it is in the log. One that is
/// refused because the driver is `busy` is tried again, at first after a second and
/// at last every 32. A driver that was stopped stays so.
///
/// Dropping it ends the watch. It keeps the board: drop it before.
pub struct Watch {
    /// Closed to end the thread.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch, on a thread of its own.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn new(board: Arc<Board>) -> io::Result<Self> {
        let (ended, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .inspect_err(|error| {
                let often = GLANCE.as_secs();
                tracing::warn!(
                    "no inotify ({error}): looking for changed components every {often} s"
                );
            })
            .ok();
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let changed = Arc::new(eventfd(0, flags)?);
        board.tell_of_changes(&changed);
        let watcher = Watcher {
            board,
            inotify,
            ended,
            changed,
        };
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .stack_size(crate::stack::THREAD_STACK)
            .spawn(move || watcher.run())?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed.
            let _ = thread.join();
        }
    }
}

struct Watcher {
    board: Arc<Board>,
    inotify: Option<OwnedFd>,
    /// Readable once the watch is to end.
    ended: OwnedFd,
    /// Readable once other drivers are on the board.
    changed: Arc<OwnedFd>,
}

/// Reloads that were refused as `busy`, by their drivers.
#[derive(Default)]
struct Refused(BTreeMap<String, Again>);

struct Again {
    after: Duration,
    at: Instant,
}

/// Tells that a file may have changed.
type Stamp = (SystemTime, u64, u64);

impl Watcher {
    fn run(&self) {
        let mut seen = None;
        let mut refused = Refused::default();
        loop {
            // Before the look: what changes after it wakes us.
            let told = self.watch_folders();
            let mut now = self.stamps();
            if seen.as_ref() != Some(&now) {
                loop {
                    if self.ends_within(SETTLED) {
                        return;
                    }
                    let later = self.stamps();
                    if later == now {
                        break;
                    }
                    now = later;
                }
                for name in self.board.changed_drivers() {
                    // One reload can take its time, and there can be many.
                    if self.has_ended() {
                        return;
                    }
                    tracing::info!("{name}: its component has changed, reloading");
                    self.reload(&name, AGAIN[0], &mut refused);
                }
                seen = Some(now);
                // What is watched may not be what is there now.
                continue;
            }
            let due = refused.due(Instant::now());
            // Some may have been started or reloaded by people meanwhile.
            let changed = if due.is_empty() {
                Vec::new()
            } else {
                self.board.changed_drivers()
            };
            for (name, again) in due {
                if self.has_ended() {
                    return;
                }
                if changed.contains(&name) {
                    let after = (2 * again.after).min(AGAIN[1]);
                    self.reload(&name, after, &mut refused);
                }
            }
            let glance = (!told).then_some(GLANCE);
            let again = refused.wait(Instant::now());
            if self.wait(glance.into_iter().chain(again).min()) {
                return;
            }
        }
    }

    /// Notes where it is to be tried again.
    fn reload(&self, name: &str, after: Duration, refused: &mut Refused) {
        refused.0.remove(name);
        let Err(error) = self.board.reload(name) else {
            return;
        };
        if error.code != ErrorCode::Busy {
            tracing::error!("{error}");
            return;
        }
        tracing::warn!("{error}; it is tried again in {after:?}");
        let at = Instant::now() + after;
        refused.0.insert(name.to_owned(), Again { after, at });
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let stamp = |path: &Path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len(), meta.ino()))
        };
        let components = self.board.components();
        components.iter().map(|path| stamp(path)).collect()
    }

    /// Has inotify tell of every folder with a component in it, and of what
    /// leads there; whether it will. Asked again each time, since folders come
    /// and go: it costs nothing to ask twice.
    fn watch_folders(&self) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        let components = self.board.components();
        let components = components.iter().flat_map(|path| paths(path));
        let paths: BTreeSet<PathBuf> = components.collect();
        let ways: BTreeSet<&Path> = paths.iter().flat_map(|path| path.ancestors()).collect();
        for way in ways {
            // What is not there yet is made in a folder that is told of.
            let _ = inotify::add_watch(inotify, way, OTHERWISE | WatchFlags::DONT_FOLLOW);
        }
        let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        let watched = folders
            .into_iter()
            .map(|folder| inotify::add_watch(inotify, folder, EVENTS));
        // Not `all`, which stops at the first that fails.
        watched.filter(Result::is_err).count() == 0
    }

    /// Whether the watch is to end.
    fn has_ended(&self) -> bool {
        let mut ended = [PollFd::new(&self.ended, PollFlags::IN)];
        let _ = poll(&mut ended, Some(&Timespec::default()));
        !ended[0].revents().is_empty()
    }

    /// Waits so long, whatever changes; whether the watch is to end.
    fn ends_within(&self, span: Duration) -> bool {
        let deadline = Instant::now() + span;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            if self.wait(Some(left)) {
                return true;
            }
        }
    }

    /// Waits until something may have changed; whether the watch is to end.
    fn wait(&self, longest: Option<Duration>) -> bool {
        let longest = longest.and_then(|span| Timespec::try_from(span).ok());
        let mut watched = vec![
            PollFd::new(&self.ended, PollFlags::IN),
            PollFd::new(&self.changed, PollFlags::IN),
        ];
        let told = self.inotify.as_ref();
        watched.extend(told.map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        // Interrupted or not: looking once more does no harm.
        let _ = poll(&mut watched, longest.as_ref());
        let ended = !watched[0].revents().is_empty();
        drop(watched);
        // Empty where nothing was counted.
        let _ = rustix::io::read(&*self.changed, &mut [0; 8]);
        if let Some(inotify) = told {
            let mut events = [0; 4096];
            while rustix::io::read(inotify, &mut events).is_ok_and(|length| length > 0) {}
        }
        ended
    }
}

impl Refused {
    /// Takes those whose turn it is.
    fn due(&mut self, now: Instant) -> Vec<(String, Again)> {
        let due = self.0.extract_if(.., |_, again| again.at <= now);
        due.collect()
    }

    /// How long until the next one's, if there is any.
    fn wait(&self, now: Instant) -> Option<Duration> {
        let next = self.0.values().map(|again| again.at).min()?;
        Some(next.saturating_duration_since(now))
    }
}

/// Where the file is, and where it really is.
fn paths(component: &Path) -> impl Iterator<Item = PathBuf> {
    let here = std::path::absolute(component).ok();
    here.into_iter().chain(component.canonicalize().ok())
}
