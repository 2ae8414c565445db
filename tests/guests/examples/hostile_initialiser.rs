//! An initialiser calls the host before anything else runs, which a filter's
//! instance cannot; then it asks for a filter of the input `in`, and logs what
//! it got.

#![allow(
    unsafe_code,
    reason = "only the linker can be asked for an initialiser"
)]

use loopgate_guest::prelude::*;

extern "C" fn initialise() {
    std::hint::black_box(now());
}

// SAFETY: the section holds pointers to functions of this very type.
#[unsafe(link_section = ".init_array")]
#[used]
static INITIALISER: extern "C" fn() = initialise;

struct Hostile {
    _source: Result<Interrupt>,
}

impl Driver for Hostile {
    fn start(cx: &Context) -> Result<Self> {
        let source = cx.filtered_interrupt(&cx.input("in")?.edges(Edges::Both)?, 0);
        match &source {
            Ok(_) => info!("got a filter"),
            Err(error) => info!("got `{}`", error.code().name()),
        }
        Ok(Self { _source: source })
    }

    fn filter(_: FilterEvent) -> Verdict {
        Verdict::NotMine
    }
}

driver!(Hostile);
