//! Recordings of what crosses a driver's boundary.

use crate::guest;
use loopgate::trace::{Trace, replay};

/// The first byte says whether a component does again what the others say.
pub fn trace(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let Ok(trace) = Trace::parse(bytes.to_vec()) else {
        return;
    };
    let mut read = 0;
    for entry in trace.entries() {
        let Ok(entry) = entry else { break };
        read += entry.bytes().len();
        shown(&entry.to_string(), entry.bytes());
        for call in entry.calls() {
            shown(&call.to_string(), entry.bytes());
            let _ = (call.has_failed(), call.can_fail(), call.asked());
        }
    }
    assert!(read <= bytes.len());
    if how & 1 == 1 {
        // It is done, refused, or something else is done: each in the end.
        let _ = replay(&trace, None, &guest("wat_minimal"));
    }
}

/// Nothing is told at length that was not there at length.
fn shown(words: &str, bytes: &[u8]) {
    assert!(words.len() <= 1_000 + 32 * bytes.len(), "{}", words.len());
}
