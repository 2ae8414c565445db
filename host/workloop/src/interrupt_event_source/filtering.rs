//! Who decides, in the primary context, whether an interrupt counts.

use std::sync::Arc;

use crate::action::ActionSlot;
use crate::interrupt::{FilterFault, InterruptFilter, Occurrence, Verdict};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(super) struct Filtering {
    filter: ActionSlot<Arc<Filter>>,
    word: AtomicU64,
}

struct Filter {
    filter: Arc<dyn InterruptFilter>,
    /// It failed once. From then on everything counts.
    off: AtomicBool,
}

impl Filtering {
    pub(super) fn new(filter: Option<Arc<dyn InterruptFilter>>) -> Self {
        Self {
            filter: ActionSlot::new(filter.map(Filter::new)),
            word: AtomicU64::new(0),
        }
    }

    /// What the filter says; `Mine` where there is none, or where it failed.
    pub(super) fn verdict(&self, occurrence: Occurrence) -> Verdict {
        let Some(filter) = self.filter.get() else {
            return Verdict::Mine;
        };
        if filter.off.load(Ordering::Acquire) {
            return Verdict::Mine;
        }
        let word = self.word.load(Ordering::Acquire);
        let verdict = filter.filter.filter(word, occurrence);
        // Before it is counted: the call that delivers it finds it off.
        verdict.unwrap_or_else(|FilterFault| {
            filter.off.store(true, Ordering::Release);
            Verdict::Mine
        })
    }

    pub(super) fn is_on(&self) -> bool {
        let filter = self.filter.get();
        filter.is_some_and(|filter| !filter.off.load(Ordering::Acquire))
    }

    pub(super) fn set_word(&self, word: u64) {
        self.word.store(word, Ordering::Release);
    }

    pub(super) fn replace(&self, filter: Option<Arc<dyn InterruptFilter>>) {
        self.filter.set(filter.map(Filter::new));
    }
}

impl Filter {
    fn new(filter: Arc<dyn InterruptFilter>) -> Arc<Self> {
        Arc::new(Self {
            filter,
            off: AtomicBool::new(false),
        })
    }
}
