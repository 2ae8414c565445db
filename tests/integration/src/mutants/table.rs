//! Which mutants there are, and what is meant to find them.

use serde::Serialize;
use std::fmt;

/// A driver with a defect.
#[derive(Debug, Serialize)]
pub struct Mutant {
    /// Of its component, `tests/guests/mutants/examples/NAME.rs`.
    pub name: &'static str,
    /// What finds it.
    pub meant: Meant,
    /// What is wrong with it.
    pub is: &'static str,
}

/// A check of the kit, or one of the mutants' scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meant {
    /// With this id.
    Check(&'static str),
    /// Of this name.
    Scenario(&'static str),
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(id) => f.write_str(id),
            Self::Scenario(name) => write!(f, "scenario {name}"),
        }
    }
}

/// The driver without a defect.
pub const WELL_MADE: &str = "well_made";

const fn check(id: &'static str, name: &'static str, is: &'static str) -> Mutant {
    let meant = Meant::Check(id);
    Mutant { name, meant, is }
}

const fn scenario(scenario: &'static str, name: &'static str, is: &'static str) -> Mutant {
    let meant = Meant::Scenario(scenario);
    Mutant { name, meant, is }
}

/// In the order of the checks.
pub static MUTANTS: &[Mutant] = &[
    check(
        "starts",
        "opens_twice",
        "opens its button's pin a second time",
    ),
    check(
        "starts",
        "demands_a_setting",
        "unwraps a setting that the board file may leave out",
    ),
    check(
        "starts-again",
        "starts_released_only",
        "refuses to start while the button is held",
    ),
    check(
        "starts-again",
        "sized_by_uptime",
        "allocates a place for each millisecond that the clock shows in `start`",
    ),
    check("quiet-stop", "arms_in_stop", "arms its timer in `stop`"),
    check("quiet-stop", "opens_in_stop", "opens the disk in `stop`"),
    check(
        "quiet-stop",
        "panics_in_stop",
        "unwraps the waiting request in `stop`, where none may wait",
    ),
    check(
        "refuses-gracefully",
        "unwraps_open",
        "unwraps what `open` of its button gives",
    ),
    check(
        "refuses-gracefully",
        "unwraps_publish",
        "unwraps what `publish` gives",
    ),
    check(
        "refuses-gracefully",
        "hides_the_name",
        "refuses to start with a text that does not name the pin",
    ),
    check(
        "survives-any-request",
        "indexes_data",
        "indexes a request's data unchecked",
    ),
    check(
        "survives-any-request",
        "overflows",
        "multiplies a request's number of seconds, which overflows",
    ),
    check(
        "survives-any-request",
        "allocates_what_is_said",
        "allocates as much as a request's number says",
    ),
    check(
        "answers-once",
        "answers_twice",
        "answers a request by its id a second time",
    ),
    check(
        "answers-once",
        "answers_late",
        "answers a request by its id after it was cancelled",
    ),
    check(
        "answers-once",
        "answers_both_ways",
        "completes a request and returns an answer as well",
    ),
    check(
        "survives-every-order",
        "busy_after_cancel",
        "stays busy when the request that it is busy with is cancelled",
    ),
    check(
        "survives-every-order",
        "panics_in_cancelled",
        "asserts in `cancelled` that the disk is not being asked",
    ),
    check(
        "survives-every-order",
        "stale_timer",
        "lets a cancelled request's timer run on, and asserts that somebody waits",
    ),
    check(
        "up-calls-do-not-sleep",
        "delays_in_interrupt",
        "debounces by a delay of 5 ms in `interrupt`",
    ),
    check(
        "up-calls-do-not-sleep",
        "delays_in_timeout",
        "delays 5 ms in `timeout` to dim the lamp",
    ),
    check(
        "handlers-in-time",
        "sorts_for_each_edge",
        "sorts all later edges of a call anew for each of them",
    ),
    check(
        "handlers-in-time",
        "spins",
        "counts to two million to wait for the contact to rest",
    ),
    check(
        "survives-faults",
        "unwraps_set",
        "unwraps what `set` of the lamp gives",
    ),
    check(
        "survives-faults",
        "arms_last",
        "arms the next beat after what can fail",
    ),
    check(
        "survives-faults",
        "unwraps_read",
        "unwraps what `read` of the port gives",
    ),
    check(
        "bounded",
        "keeps_every_event",
        "keeps a record of each beat for ever",
    ),
    check(
        "bounded",
        "timer_for_each_request",
        "creates a timer for each request and never drops it",
    ),
    check(
        "bounded",
        "keeps_every_client",
        "opens the disk for each request and never closes it",
    ),
    check(
        "survives-storms",
        "asserts_no_loss",
        "asserts that no interrupt is lost",
    ),
    check(
        "survives-storms",
        "asserts_one_edge",
        "asserts that each interrupt is one edge",
    ),
    check("logs-within-reason", "logs_each_edge", "logs each edge"),
    check(
        "survives-jumps",
        "catches_up",
        "makes up for each beat that it missed",
    ),
    check(
        "survives-jumps",
        "asserts_on_time",
        "asserts that a beat is not late",
    ),
    check(
        "keeps-its-state",
        "forgets_the_counter",
        "does not restore the count of presses",
    ),
    check(
        "keeps-its-state",
        "forgets_the_setting",
        "does not restore how long the lamp is to be on",
    ),
    check(
        "keeps-its-state",
        "restores_inverted",
        "restores whether the button is held the wrong way round",
    ),
    check(
        "keeps-its-state",
        "rearms_in_restore",
        "arms its heartbeat anew in `restore`",
    ),
    check(
        "keeps-its-state",
        "forgets_the_line",
        "does not restore the begin of a line",
    ),
    check(
        "sleeps-and-wakes",
        "sleeps_on",
        "does not arm its heartbeat again when the board wakes",
    ),
    check(
        "sleeps-and-wakes",
        "forgets_who_waits",
        "forgets who waits when the board goes to sleep",
    ),
    check(
        "sleeps-and-wakes",
        "panics_on_wake",
        "takes for granted that the lamp was on when the board went to sleep",
    ),
    check(
        "survives-its-providers",
        "keeps_a_dead_client",
        "keeps the disk open when its driver goes",
    ),
    check(
        "survives-its-providers",
        "panics_in_structural",
        "asserts in `structural` that the disk is not in use",
    ),
    check(
        "survives-its-providers",
        "unwraps_completed",
        "unwraps what the disk answers",
    ),
    check(
        "survives-schedules",
        "race_of_three",
        "an edge hands it the waiting request, which a line then answers before the contact rests",
    ),
    scenario(
        "light",
        "forgets_the_timer",
        "switched on for good, it does not cancel the timer that puts the lamp out",
    ),
    scenario(
        "press",
        "short_pulse",
        "the lamp is on for nine tenths of the time",
    ),
    scenario("press", "inverted_lamp", "drives the lamp inverted"),
    scenario("press", "off_by_one", "replies one press too few"),
    scenario(
        "bounce",
        "counts_bounces",
        "counts a press when the contact bounces, too",
    ),
    scenario(
        "bounce",
        "counts_calls",
        "counts edges that come in one call as one",
    ),
    scenario(
        "lines",
        "wrong_reply",
        "ends its answers with a carriage return, too",
    ),
    scenario(
        "lines",
        "forgets_a_byte",
        "loses a byte where a line comes in two pieces",
    ),
    scenario(
        "heartbeat",
        "heartbeat_drifts",
        "arms the next beat from the end of this one, so that they drift",
    ),
    scenario(
        "next",
        "answers_early",
        "lets a cancelled request's timer run on, which then answers the next one",
    ),
];
