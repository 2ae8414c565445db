//! Real time: a thread that plays what is due.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use loopgate_workloop::Context;

use super::SimBoard;

/// A running player; dropping it stops the thread and waits for its end. From
/// an observer or a sink it does not wait: the thread may be waiting for that.
#[must_use = "dropping the player stops it"]
pub struct Player {
    board: Arc<SimBoard>,
    stop: Arc<AtomicBool>,
    context: Context,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    pub(super) fn spawn(board: &Arc<SimBoard>) -> io::Result<Self> {
        let context = Context::detached("sim player");
        let post = Post::take(board, &context)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new()
            .name(context.name().to_owned())
            .spawn({
                let (context, stop) = (context.clone(), Arc::clone(&stop));
                move || run(&post.0, &context, &stop)
            })?;
        Ok(Self {
            board: Arc::clone(board),
            stop,
            context,
            thread: Some(thread),
        })
    }

    /// Stops the thread and waits for its end, as dropping does.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.context.wake();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
            && !self.board.is_delivering()
        {
            // An observer's panic has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn run(board: &SimBoard, context: &Context, stop: &AtomicBool) {
    let stopped = || stop.load(Ordering::Acquire);
    while !stopped() {
        board.run_schedule(board.clock.now(), stopped);
        board.clock.park(context, board.next_due());
    }
}

/// The post of the board's player; left on drop, also by a panic.
struct Post(Arc<SimBoard>);

impl Post {
    fn take(board: &Arc<SimBoard>, context: &Context) -> io::Result<Self> {
        let mut pins = board.pins.lock();
        if pins.player.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the simulated board has a player already; drop that one first",
            ));
        }
        pins.player = Some(context.clone());
        drop(pins);
        Ok(Self(Arc::clone(board)))
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.0.pins.lock().player = None;
    }
}
