//! SIGHUP: the board file is read again, or the terminal is gone.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread::Scope;

use loopgate::Board;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use signal_hook::consts::SIGTERM;

use super::service_manager::ServiceManager;
use super::states_in_short;

/// Reads the board file again on a thread of its own: it may have to wait for
/// drivers, and the next signal must not.
pub(super) struct HangUps<'a> {
    board: &'a Board,
    manager: &'a ServiceManager,
    /// So many came and were not answered yet; while there are any, one thread is
    /// at it.
    pending: AtomicU32,
    ending: AtomicBool,
}

impl<'a> HangUps<'a> {
    pub(super) fn new(board: &'a Board, manager: &'a ServiceManager) -> Self {
        Self {
            board,
            manager,
            pending: AtomicU32::new(0),
            ending: AtomicBool::new(false),
        }
    }

    /// Whether the board goes on after one.
    pub(super) fn handled<'s>(&'s self, scope: &'s Scope<'s, '_>) -> bool {
        if hung_up() {
            // Comes back as an end like any other, with its limit of time.
            return signal_hook::low_level::raise(SIGTERM).is_ok();
        }
        if self.pending.fetch_add(1, SeqCst) == 0 {
            let reread = std::thread::Builder::new().spawn_scoped(scope, || self.reread());
            if let Err(error) = reread {
                self.pending.store(0, SeqCst);
                tracing::error!("the board file was not read again: no thread for it: {error}");
            }
        }
        true
    }

    /// The manager is told nothing but that from now on.
    pub(super) fn end(&self) {
        self.ending.store(true, SeqCst);
        self.manager.stopping();
    }

    fn reread(&self) {
        loop {
            let answered = self.pending.load(SeqCst);
            self.reread_once();
            if self.pending.fetch_sub(answered, SeqCst) == answered {
                return;
            }
        }
    }

    fn reread_once(&self) {
        self.tell(ServiceManager::reloading);
        match self.board.reread() {
            Ok(changes) => tracing::info!("the board file was read again: {changes}"),
            Err(error) => tracing::error!("the board was not changed: {error}"),
        }
        self.tell(|manager| manager.ready(&states_in_short(self.board)));
    }

    fn tell(&self, what: impl Fn(&ServiceManager)) {
        if !self.ending.load(SeqCst) {
            what(self.manager);
        }
    }
}

/// Whether this was started at a terminal, and the terminal is gone.
fn hung_up() -> bool {
    let input = std::io::stdin();
    let mut looked_at = [PollFd::new(&input, PollFlags::empty())];
    let looked = rustix::event::poll(&mut looked_at, Some(&Timespec::default()));
    // A pipe whose other end is closed says so as well; a terminal that is
    // gone is not even one any more.
    looked.is_ok()
        && looked_at[0].revents().contains(PollFlags::HUP)
        && rustix::fs::fstat(&input)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
}
