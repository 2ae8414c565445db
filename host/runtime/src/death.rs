//! Why an instance ended, in the words of the limit or trap.

use crate::engine::cause_of;
use crate::guest::Guest;
use crate::limits::LimitHit;
use crate::text::last_words;
use wasmtime::Trap;

/// The cause, from what the engine reports and what the limits saw.
pub(crate) fn cause(guest: &Guest, error: &wasmtime::Error) -> String {
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        return hit.to_string();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => return LimitHit::Stack.to_string(),
        Some(Trap::OutOfFuel) => return guest.clock.exhausted().to_string(),
        // A guest that is refused memory gives up in its own way.
        Some(trap) => {
            return match &guest.memory.refused {
                Some(hit) => hit.to_string(),
                None => format!(
                    "trap: {}",
                    trap.to_string().trim_start_matches("wasm trap: ")
                ),
            };
        }
        None => {}
    }
    let text = own_words(error);
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return LimitHit::Payload(guest.driver.limits.payload).to_string();
    }
    // Its own table's, and the store's for handles that need no entry there.
    let full = ["table has no free keys", "store handle limit exceeded"];
    if full.iter().any(|words| text.contains(words)) {
        return LimitHit::Handles(guest.driver.limits.handles).to_string();
    }
    match &guest.memory.refused {
        Some(hit) => hit.to_string(),
        None => format!("trap: {text}"),
    }
}

/// The innermost cause: what is around it is the wasm backtrace, which goes
/// to the log.
fn own_words(error: &wasmtime::Error) -> String {
    error.chain().last().map_or_else(
        || cause_of(error),
        |root| last_words(&root.to_string().replace('\n', " ")),
    )
}
