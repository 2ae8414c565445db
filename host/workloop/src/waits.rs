//! Who waits for whom, where holders of gates wait for further gates.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::context::{Context, ContextId};
use crate::error::Error;
use crate::sync::Mutex;
use crate::work_loop::shared::Shared;

/// The waits of contexts that hold a gate and want another: loops whose
/// actions enter each other share one of these
/// ([`WorkLoop::with_waits`](crate::WorkLoop::with_waits)), and a wait that
/// would close a circle is refused.
///
/// Only such waits are in it. A context in it holds what it held when it began
/// to wait, for it does nothing else; so under the lock a circle that is found
/// is one, and none arises unseen: gates change hands between those who run.
pub struct Waits(Mutex<BTreeMap<ContextId, Arc<Shared>>>);

/// A wait that goes on, until this is dropped.
pub(crate) struct Waiting<'a> {
    waits: &'a Waits,
    cx: ContextId,
}

impl Waits {
    /// No waits yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(BTreeMap::new())))
    }

    /// Records that `cx` waits for the gate of `wanted`.
    ///
    /// # Errors
    /// `WouldDeadlock` where that gate's owner waits for `cx`, through however
    /// many others.
    pub(crate) fn begin(&self, cx: &Context, wanted: &Arc<Shared>) -> Result<Waiting<'_>, Error> {
        let mut waits = self.0.lock();
        let mut next = Some(wanted);
        // One that has what it waited for, or has given up, and has not said so
        // yet, can look like a circle without us: everyone is passed once.
        for _ in 0..=waits.len() {
            let Some(owner) = next.and_then(|shared| shared.gate().owner()) else {
                break;
            };
            if owner == cx.id() {
                return Err(Error::WouldDeadlock);
            }
            next = waits.get(&owner);
        }
        waits.insert(cx.id(), Arc::clone(wanted));
        Ok(Waiting {
            waits: self,
            cx: cx.id(),
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let over = self.waits.0.lock().remove(&self.cx);
        // Outside the lock: it may be the loop's last part.
        drop(over);
    }
}
