//! Pins that a task waits for: [`Wait`](embedded_hal_async::digital::Wait).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use crate::{Interrupt, InterruptId, Interrupts, Line, Result};

thread_local! {
    /// By the tokens of their sources.
    static SEEN: RefCell<BTreeMap<u32, Seen>> = const { RefCell::new(BTreeMap::new()) };
}

/// The edges since someone began to wait, and who.
#[derive(Default)]
pub(crate) struct Seen {
    rising: bool,
    falling: bool,
    waker: Option<Waker>,
}

impl Seen {
    pub(crate) fn edge_to(&self, level: bool) -> bool {
        if level { self.rising } else { self.falling }
    }
}

/// The source of a pin that is waited for, which the driver is not told of.
#[derive(Debug)]
pub(crate) struct Edge(Interrupt);

impl Edge {
    pub(crate) fn create(line: &Line) -> Result<Self> {
        let source = Interrupt::create(Some(line))?;
        SEEN.with_borrow_mut(|seen| seen.insert(source.id().0, Seen::default()));
        Ok(Self(source))
    }

    /// Edges count from now on, and as long as what is returned is there.
    pub(crate) fn watch(&self) -> Watch<'_> {
        self.set(Seen::default());
        self.0.enable();
        Watch(self)
    }

    fn set(&self, new: Seen) {
        let last = SEEN.with_borrow_mut(|seen| seen.insert(self.0.id().0, new));
        drop(last);
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let last = SEEN.with_borrow_mut(|seen| seen.remove(&self.0.id().0));
        drop(last);
    }
}

pub(crate) struct Watch<'a>(&'a Edge);

impl Watch<'_> {
    /// Returns when such edges were seen, which are then forgotten.
    pub(crate) async fn until(&self, wanted: impl Fn(&Seen) -> bool) {
        let token = self.0.0.id().0;
        poll_fn(|cx| {
            let waker = Some(cx.waker().clone());
            let last = SEEN.with_borrow_mut(|all| {
                let seen = all.entry(token).or_default();
                let is_there = wanted(seen);
                let next = if is_there {
                    Seen::default()
                } else {
                    Seen { waker, ..*seen }
                };
                (is_there, std::mem::replace(seen, next))
            });
            match last {
                (true, _) => Poll::Ready(()),
                (false, _) => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.0.disable();
        self.0.set(Seen::default());
    }
}

/// The host tells of interrupts. Whether they are for a pin that is waited for.
pub(super) fn occurred(source: InterruptId, event: Interrupts) -> bool {
    let woken = SEEN.with_borrow_mut(|all| {
        let seen = all.get_mut(&source.0)?;
        // Edges of both directions alternate.
        let several = event.count.saturating_add(event.lost) > 1;
        seen.rising |= several || event.latest.high;
        seen.falling |= several || !event.latest.high;
        Some(seen.waker.take())
    });
    let ours = woken.is_some();
    woken.flatten().into_iter().for_each(Waker::wake);
    ours
}
