//! What an instance is to be told of the drivers around it.

use crate::bindings::exports::loopgate::driver::handlers::StructuralEvent;
use crate::submission::Mailbox;
use loopgate_workloop::Context;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Something that is so or not, in turn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// That this driver can open a service, or pins, of another.
    Provider { service: String },
    /// That another driver has a service, or pins, of this one open.
    Client { service: String, client: String },
}

impl Subject {
    fn event(self, is: bool) -> (StructuralEvent, String) {
        match (self, is) {
            (Self::Provider { service }, true) => (StructuralEvent::ProviderPublished, service),
            (Self::Provider { service }, false) => (StructuralEvent::ProviderTerminated, service),
            (Self::Client { service, .. }, true) => (StructuralEvent::ClientOpened, service),
            (Self::Client { service, .. }, false) => (StructuralEvent::ClientClosed, service),
        }
    }
}

#[derive(Default)]
struct Known {
    /// How often it is so: it is while this is not 0.
    count: u32,
    /// Changes that the driver was not told of yet: at most one to and fro.
    owed: u8,
}

/// The changes around one instance. How many there can be, the board file
/// says: a client that opens and closes without end adds none.
#[derive(Default)]
pub(crate) struct Changes {
    known: BTreeMap<Subject, Known>,
    /// What is owed, in the order in which it came to be.
    owed: VecDeque<Subject>,
    /// What the driver is being told in this moment.
    telling: Option<Subject>,
    /// Services whose end it has answered with `closing`.
    closing: BTreeSet<String>,
}

impl Changes {
    /// What was so when the driver began: it is not told.
    pub(crate) fn begin(&mut self, subject: Subject) {
        self.known.entry(subject).or_default().count = 1;
    }

    /// Whether there is something new to tell.
    pub(crate) fn set(&mut self, subject: Subject, count: impl FnOnce(u32) -> u32) -> bool {
        let known = self.known.entry(subject.clone()).or_default();
        let was = known.count > 0;
        known.count = count(known.count);
        if was == (known.count > 0) {
            return false;
        }
        if let (Subject::Provider { service }, false) = (&subject, was) {
            self.closing.remove(service);
        }
        if known.owed == 0 {
            self.owed.push_back(subject);
        }
        known.owed = 1 + known.owed % 2;
        true
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.owed.is_empty()
    }

    /// What to tell the driver now; [`told`](Self::told) follows.
    pub(crate) fn next(&mut self) -> Option<(StructuralEvent, String)> {
        let subject = self.owed.front()?.clone();
        let known = self.known.get_mut(&subject)?;
        let is = (known.count > 0) == (known.owed == 1);
        known.owed -= 1;
        if known.owed == 0 {
            self.owed.pop_front();
        }
        self.telling = Some(subject.clone());
        Some(subject.event(is))
    }

    /// The driver was told, and has answered.
    pub(crate) fn told(&mut self, closing: bool) {
        if let Some(Subject::Provider { service }) = self.telling.take()
            && closing
            && !self.is(&Subject::Provider {
                service: service.clone(),
            })
        {
            self.closing.insert(service);
        }
    }

    /// Whether the driver knows that it cannot open the service.
    pub(crate) fn has_told_end(&self, service: &str) -> bool {
        let subject = Subject::Provider {
            service: service.to_owned(),
        };
        let known = self.known.get(&subject);
        self.telling.as_ref() != Some(&subject)
            && known.is_none_or(|known| known.count == 0 && known.owed == 0)
    }

    /// Whether it has asked for time to close the service.
    pub(crate) fn is_closing(&self, service: &str) -> bool {
        self.closing.contains(service)
    }

    /// Whether a client has anything of this driver open.
    pub(crate) fn is_open(&self, by: &str) -> bool {
        self.known.iter().any(|(subject, known)| {
            matches!(subject, Subject::Client { client, .. } if client == by) && known.count > 0
        })
    }

    fn is(&self, subject: &Subject) -> bool {
        self.known.get(subject).is_some_and(|known| known.count > 0)
    }
}

/// What one instance is to be told of those around it, as long as it lives.
pub(crate) struct Neighbours {
    mailbox: Arc<Mailbox>,
    /// None once the instance has ended. A leaf among the locks.
    changes: Mutex<Option<Changes>>,
    watchers: Arc<Watchers>,
}

impl Neighbours {
    pub(crate) fn new(mailbox: Arc<Mailbox>, watchers: Arc<Watchers>) -> Arc<Self> {
        Arc::new(Self {
            mailbox,
            changes: Mutex::new(Some(Changes::default())),
            watchers,
        })
    }

    /// A service, or pins, of this instance is opened, from when
    /// [`counts`](Open::counts) is called until what is returned is dropped.
    pub(crate) fn open(self: &Arc<Self>, service: &str, client: &str) -> Open {
        let subject = Subject::Client {
            service: service.to_owned(),
            client: client.to_owned(),
        };
        Open {
            provider: self.clone(),
            subject,
            counts: AtomicBool::new(false),
        }
    }

    /// A service of another driver can be opened, or cannot any more.
    pub(crate) fn note_provider(&self, service: &str, openable: bool) {
        let service = service.to_owned();
        self.note(&Subject::Provider { service }, |_| u32::from(openable));
    }

    /// Changes how often it is so.
    fn note(&self, subject: &Subject, count: impl FnOnce(u32) -> u32) {
        let mut changes = self.changes.lock();
        let new = match &mut *changes {
            Some(changes) => changes.set(subject.clone(), count),
            None => false,
        };
        drop(changes);
        if new {
            self.mailbox.signal();
            self.watchers.wake();
        }
    }

    /// Looks at the changes; after the end there are none.
    pub(crate) fn with_changes<R>(&self, f: impl FnOnce(&mut Changes) -> R) -> R {
        let mut none = Changes::default();
        f(self.changes.lock().as_mut().unwrap_or(&mut none))
    }

    /// The driver has answered the change that it was told of.
    pub(crate) fn told(&self, closing: bool) {
        self.with_changes(|changes| changes.told(closing));
        self.watchers.wake();
    }

    /// The instance has ended: nobody looks in here again.
    pub(crate) fn close(&self) {
        drop(self.changes.lock().take());
        self.watchers.wake();
    }
}

/// One thing of a provider that a client has open, until it is dropped:
/// [`Neighbours::open`].
pub(crate) struct Open {
    provider: Arc<Neighbours>,
    subject: Subject,
    counts: AtomicBool,
}

impl Open {
    /// The provider is to know of it.
    pub(crate) fn counts(&self) {
        if !self.counts.swap(true, Relaxed) {
            self.provider.note(&self.subject, |count| count + 1);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if *self.counts.get_mut() {
            self.provider.note(&self.subject, |count| count - 1);
        }
    }
}

/// Those who wait for drivers to be told, to close, or to end.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<Context>>);

impl Watchers {
    /// Wakes this context at each change, until what is returned is dropped.
    pub(crate) fn watch<'a>(&'a self, cx: &'a Context) -> Watching<'a> {
        self.0.lock().push(cx.clone());
        Watching { all: self, cx }
    }

    /// Something has changed.
    pub(crate) fn wake(&self) {
        for cx in &*self.0.lock() {
            cx.wake();
        }
    }
}

pub(crate) struct Watching<'a> {
    all: &'a Watchers,
    cx: &'a Context,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        if let Some(index) = all.iter().position(|cx| cx == self.cx) {
            all.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Subject {
        Subject::Provider {
            service: "s".to_owned(),
        }
    }

    fn client(name: &str) -> Subject {
        Subject::Client {
            service: "s".to_owned(),
            client: name.to_owned(),
        }
    }

    fn all(changes: &mut Changes) -> Vec<StructuralEvent> {
        std::iter::from_fn(|| {
            let (event, _) = changes.next()?;
            changes.told(false);
            Some(event)
        })
        .collect()
    }

    #[test]
    fn changes_that_nobody_was_told_of_come_to_one_pair_at_most() {
        use StructuralEvent::{ProviderPublished as There, ProviderTerminated as Gone};
        for (begins, steps, told) in [
            (false, 1, vec![There]),
            (false, 2, vec![There, Gone]),
            (false, 3, vec![There]),
            (false, 1000, vec![There, Gone]),
            (true, 1, vec![Gone]),
            (true, 2, vec![Gone, There]),
            (true, 1001, vec![Gone]),
        ] {
            let mut changes = Changes::default();
            if begins {
                changes.begin(service());
            }
            for _ in 0..steps {
                assert!(changes.set(service(), |count| 1 - count));
            }
            assert_eq!(changes.owed.len(), 1);
            assert_eq!(all(&mut changes), told, "{begins} {steps}");
            assert_eq!(all(&mut changes), []);
        }
    }

    #[test]
    fn the_first_that_is_opened_and_the_last_that_is_closed_count() {
        use StructuralEvent::{ClientClosed, ClientOpened};
        let mut changes = Changes::default();
        assert!(changes.set(client("a"), |count| count + 1));
        assert!(!changes.set(client("a"), |count| count + 1));
        assert!(changes.set(client("b"), |count| count + 1));
        assert_eq!(all(&mut changes), [ClientOpened, ClientOpened]);
        assert!(!changes.set(client("a"), |count| count - 1));
        assert!(changes.is_open("a"));
        assert!(changes.set(client("a"), |count| count - 1));
        assert!(!changes.is_open("a") && changes.is_open("b"));
        assert_eq!(all(&mut changes), [ClientClosed]);
    }

    #[test]
    fn an_end_was_told_once_it_is_answered() {
        let mut changes = Changes::default();
        changes.begin(service());
        assert!(!changes.has_told_end("s"));
        changes.set(service(), |_| 0);
        assert!(!changes.has_told_end("s"));
        changes.next();
        assert!(!changes.has_told_end("s"), "its handler runs");
        changes.told(true);
        assert!(changes.has_told_end("s") && changes.is_closing("s"));
        changes.set(service(), |_| 1);
        assert!(!changes.has_told_end("s") && !changes.is_closing("s"));
    }
}
