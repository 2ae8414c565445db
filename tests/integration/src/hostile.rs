//! The guests that misbehave, each with what must become of it.

pub mod corpus;
pub mod run;

use crate::{entry, guest};
use std::fmt::Write as _;

/// A hostile guest in one of its ways, and its verdict.
#[derive(Clone, Copy, Debug)]
pub struct Hostile {
    /// The guest.
    pub guest: &'static str,
    /// Its config `how`; empty for those that know one way.
    pub how: &'static str,
    /// Its config `amount`; empty for its own.
    pub amount: &'static str,
    /// What must become of it.
    pub verdict: Verdict,
}

/// What must become of a hostile guest.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// It fails, and the cause says this.
    Fails(&'static str),
    /// One of its instances fails over this, and another goes on.
    Outlived(&'static str),
    /// It goes on, and tells this of what it got.
    Tells(&'static str),
    /// It goes on.
    Runs,
    /// It may fail or go on.
    Any,
}
use Verdict::{Fails, Tells};

const fn hostile(guest: &'static str, how: &'static str, verdict: Verdict) -> Hostile {
    Hostile {
        guest,
        how,
        amount: "",
        verdict,
    }
}

const PANICKED: &str = "trap: wasm `unreachable` instruction executed";
const NO_HANDLE: &str = "unknown handle index";

/// Every hostile guest but `hostile_chain`, which takes several to be one.
pub const ALL: &[Hostile] = &[
    hostile("hostile_trap", "", Fails(PANICKED)),
    hostile(
        "hostile_spin",
        "",
        Fails("limit `handler-cpu`: more than 10 ms"),
    ),
    hostile("hostile_alloc", "", Fails("limit `memory`: asked for")),
    hostile(
        "hostile_recurse",
        "",
        Fails("limit `stack`: more than 128 KiB"),
    ),
    hostile(
        "hostile_sleep",
        "",
        Fails("a handler must not wait; use a timer source"),
    ),
    hostile(
        "hostile_aliased_strings",
        "",
        Fails("limit `payload`: one call carried more than 64 KiB"),
    ),
    hostile("hostile_handles", "stale", Fails(NO_HANDLE)),
    hostile("hostile_handles", "foreign", Fails(NO_HANDLE)),
    hostile("hostile_handles", "mistaken", Fails("trap: ")),
    hostile("hostile_handles", "double-drop", Fails(NO_HANDLE)),
    hostile(
        "hostile_handles",
        "twice",
        Tells(
            "timer: ok; armed off the loop: ok; interrupt: ok; signalled off the loop: not-ready; gate: ok; published off the loop: ",
        ),
    ),
    hostile("hostile_stdin", "", Tells("read 0 bytes")),
    hostile("hostile_println", "", Tells("printed")),
    Hostile {
        amount: "200",
        ..hostile("hostile_log", "", Tells("flooded"))
    },
    Hostile {
        amount: "20",
        ..hostile("hostile_log", "long", Tells("flooded"))
    },
    Hostile {
        amount: "20",
        ..hostile("hostile_log", "control", Tells("flooded"))
    },
    hostile(
        "hostile_sources",
        "timers",
        Tells("stopped by `no-resources`"),
    ),
    hostile(
        "hostile_sources",
        "interrupts",
        Tells("stopped by `no-resources`"),
    ),
    hostile(
        "hostile_sources",
        "gates",
        Tells("stopped by `no-resources`"),
    ),
    hostile("hostile_sources", "lines", Tells("stopped by `busy`")),
    hostile("hostile_sources", "pins", Tells("stopped by `busy`")),
    hostile(
        "hostile_sources",
        "feeds",
        Tells("created 1 feeds, stopped by `bad-argument`"),
    ),
    hostile(
        "hostile_sources",
        "clients",
        Tells("stopped by `no-resources`"),
    ),
    hostile(
        "hostile_sources",
        "services",
        Tells("stopped by `not-granted`"),
    ),
];

impl Hostile {
    /// What a board may call it: `hostile_log-long`.
    pub fn name(&self) -> String {
        match self.how {
            "" => self.guest.to_owned(),
            how => format!("{}-{how}", self.guest),
        }
    }

    /// The words of its end, where it ends: in `start` time has a limit of its
    /// own.
    pub fn end(&self, when: &str) -> Option<&'static str> {
        match self.verdict {
            Fails(_) if self.guest == "hostile_spin" && when == "start" => {
                Some("limit `start`: `start` took more than 200 ms")
            }
            Fails(words) => Some(words),
            _ => None,
        }
    }

    /// Whether it can misbehave at this moment: at an edge, its pin and the
    /// pin's line are taken already.
    pub fn can(&self, when: &str) -> bool {
        when != "interrupt" || !["pins", "lines", "feeds"].contains(&self.how)
    }

    /// Its entry on a board: `name` is also its service and, in capitals, the
    /// line of its input `in`; `more` continues its config. A board with
    /// `clients` needs the service `echo`.
    pub fn entry(&self, name: &str, when: &str, more: &str) -> String {
        let mut config = format!("when = \"{when}\", service = \"{name}\"{more}");
        for (key, value) in [("how", self.how), ("amount", self.amount)] {
            if !value.is_empty() {
                let _ = write!(config, ", {key} = \"{value}\"");
            }
        }
        let uses = if self.how == "clients" {
            "uses = [\"echo\"]\n"
        } else {
            ""
        };
        let rest = format!(
            "provides = [\"{name}\"]\n{uses}config = {{ {config} }}\n\
             limits = {{ start = \"200 ms\" }}\n[driver.gpio]\n\
             in = {{ line = \"{}\", direction = \"input\", edges = \"both\" }}",
            line(name)
        );
        entry(name, &guest(self.guest), &rest)
    }
}

/// The handler that misbehaves, as the host names it.
pub fn handler(when: &str) -> &str {
    match when {
        "interrupt" => "interrupt-occurred",
        "timer" => "timeout-occurred",
        "reload" => "start",
        other => other,
    }
}

/// The line of a hostile guest's input.
pub fn line(name: &str) -> String {
    name.to_uppercase()
}
