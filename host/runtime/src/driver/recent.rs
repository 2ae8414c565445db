//! The last calls of an instance, for the report of its death.

use super::Handler;
use crate::crash::HandlerCall;

/// A power of two.
const KEPT: usize = 32;

/// A ring, written at every call: it takes no clock's time and no memory.
pub(super) struct Recent {
    calls: [(Handler, Option<u32>); KEPT],
    count: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            calls: [(Handler::Start, None); KEPT],
            count: 0,
        }
    }
}

impl Recent {
    pub(super) fn note(&mut self, handler: Handler, token: Option<u32>) {
        self.calls[self.count as usize % KEPT] = (handler, token);
        self.count += 1;
    }

    /// The oldest first.
    pub(super) fn all(&self) -> Vec<HandlerCall> {
        let first = self.count.saturating_sub(KEPT as u64);
        let call = |index: u64| {
            let (handler, token) = self.calls[index as usize % KEPT];
            HandlerCall {
                number: index + 1,
                handler: handler.name(),
                token,
            }
        };
        (first..self.count).map(call).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_in_order() {
        let mut recent = Recent::default();
        assert!(recent.all().is_empty());
        recent.note(Handler::Start, None);
        for token in 0..40 {
            recent.note(Handler::Timeout, Some(token));
        }
        let all = recent.all();
        assert_eq!(all.len(), KEPT);
        assert_eq!((all[0].number, all[0].token), (10, Some(8)));
        assert_eq!((all[31].number, all[31].token), (41, Some(39)));
        assert_eq!(all[31].handler, "timeout-occurred");
    }
}
