//! The latest of many.

use std::collections::VecDeque;

use loopgate_guest::Reply;

/// How many are kept; the oldest makes room.
const KEPT: usize = 256;

/// What is kept for who asks later.
pub(crate) struct Latest<T> {
    kept: VecDeque<T>,
    all: u64,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            kept: VecDeque::with_capacity(KEPT),
            all: 0,
        }
    }
}

impl<T> Latest<T> {
    pub(crate) fn keep(&mut self, one: T) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(one);
        self.all += 1;
    }

    /// At most `fit` of them, a line each.
    pub(crate) fn reply(&self, fit: usize, line: impl Fn(&T) -> String) -> Reply {
        let skipped = self.kept.len().saturating_sub(fit);
        let lines = self.kept.iter().skip(skipped);
        Reply::new(
            self.all,
            lines.map(|one| line(one) + "\n").collect::<String>(),
        )
    }
}
