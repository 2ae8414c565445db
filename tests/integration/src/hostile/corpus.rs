//! The hostile corpus: every attempt with its verdict.

use super::Verdict::{self, Any, Fails, Outlived, Runs, Tells};
use super::{NO_HANDLE, PANICKED};
use std::borrow::Cow;

/// One thing that a hostile driver tries.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The component.
    pub guest: Cow<'static, str>,
    /// Its config `how`; empty for those that know one way.
    pub how: &'static str,
    /// What sets it off.
    pub when: When,
    /// What must become of it.
    pub verdict: Verdict,
    /// Its config `amount`; empty for its own.
    pub amount: &'static str,
}

/// What sets a hostile driver off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It is started.
    Start,
    /// It is stopped.
    Stop,
    /// An edge of its input.
    Interrupt,
    /// Its own timer.
    Timer,
    /// A request.
    Command,
    /// A request that sleeps goes on.
    Resume,
    /// The client of a request has given up.
    Cancelled,
    /// A request that it has submitted is over.
    Completed,
    /// Every edge of its input, in its filter.
    Filter,
    /// It is reloaded: the running version is asked for its state.
    Save,
    /// The new version is started beside it.
    Reload,
    /// And given the state.
    Restore,
    /// A driver opens a pin that it publishes,
    PinConfigure,
    /// reads it,
    PinRead,
    /// or drives it.
    PinWrite,
    /// A driver opens its service; or one whose service it uses is stopped.
    Structural,
    /// The board is to sleep,
    AllowPowerChange,
    /// is set to sleep,
    SetPowerState,
    /// and sleeps.
    PowerStateDidChange,
}

impl When {
    /// Config `when`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Interrupt => "interrupt",
            Self::Timer => "timer",
            Self::Command => "command",
            Self::Resume => "resume",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Filter => "filter",
            Self::Save => "save-state",
            Self::Reload => "reload",
            Self::Restore => "restore-state",
            Self::PinConfigure => "pin-configure",
            Self::PinRead => "pin-read",
            Self::PinWrite => "pin-write",
            Self::Structural => "structural",
            Self::AllowPowerChange => "allow-power-change",
            Self::SetPowerState => "set-power-state",
            Self::PowerStateDidChange => "power-state-did-change",
        }
    }

    /// The handler, as the host names it.
    pub fn handler(self) -> &'static str {
        super::handler(self.name())
    }
}
use When::{
    AllowPowerChange, Cancelled, Command, Completed, Filter, Interrupt, PinConfigure, PinRead,
    PinWrite, PowerStateDidChange, Reload, Restore, Resume, Save, SetPowerState, Start, Stop,
    Structural, Timer,
};

impl Attempt {
    /// For people: `hostile_raw long:log (timer)`.
    pub fn name(&self) -> String {
        let how = match self.how {
            "" => String::new(),
            how => format!(" {how}"),
        };
        format!("{}{how} ({})", self.guest, self.when.name())
    }
}

const fn attempt(guest: &'static str, how: &'static str, when: When, verdict: Verdict) -> Attempt {
    Attempt {
        guest: Cow::Borrowed(guest),
        how,
        when,
        verdict,
        amount: "",
    }
}

const fn amount(amount: &'static str, mut attempt: Attempt) -> Attempt {
    attempt.amount = amount;
    attempt
}

const CPU: Verdict = Fails("limit `handler-cpu`: more than 10 ms");
const WALL: Verdict = Fails("limit `handler-wall`: one handler took more than 250 ms");
const BAD_ARGUMENT: Verdict = Tells("name: \"bad-argument\"");
const START: Verdict = Fails("limit `start`: `start` took more than 200 ms");
const MEMORY: Verdict = Fails("limit `memory`: asked for");
const STACK: Verdict = Fails("limit `stack`: more than 128 KiB");
const PAYLOAD: Verdict = Fails("limit `payload`: one call carried more than 64 KiB");
const TABLES: Verdict = Fails("limit `table-elements`: asked for");
const HANDLES: Verdict = Fails("limit `handles`: more than 256");
const TRAP: Verdict = Fails(PANICKED);
const BEYOND: Verdict = Fails("out of bounds");

/// Time, stack and memory, in each handler.
pub const HANDLERS: &[Attempt] = &[
    attempt("hostile_spin", "", Start, START),
    attempt("hostile_spin", "", Stop, CPU),
    attempt("hostile_spin", "", Interrupt, CPU),
    attempt("hostile_spin", "", Timer, CPU),
    attempt("hostile_spin", "", Command, CPU),
    attempt("hostile_spin", "", Cancelled, CPU),
    attempt("hostile_spin", "", Completed, CPU),
    attempt("hostile_resumed", "spin", Resume, CPU),
    attempt("hostile_trap", "", Start, TRAP),
    attempt("hostile_trap", "", Stop, TRAP),
    attempt("hostile_trap", "", Interrupt, TRAP),
    attempt("hostile_trap", "", Timer, TRAP),
    attempt("hostile_trap", "", Command, TRAP),
    attempt("hostile_trap", "", Cancelled, TRAP),
    attempt("hostile_trap", "", Completed, TRAP),
    attempt("hostile_resumed", "trap", Resume, TRAP),
    attempt("hostile_recurse", "", Start, STACK),
    attempt("hostile_recurse", "", Stop, STACK),
    attempt("hostile_recurse", "", Interrupt, STACK),
    attempt("hostile_recurse", "", Timer, STACK),
    attempt("hostile_recurse", "", Command, STACK),
    attempt("hostile_recurse", "", Cancelled, STACK),
    attempt("hostile_recurse", "", Completed, STACK),
    attempt("hostile_resumed", "recurse", Resume, STACK),
    attempt("hostile_alloc", "", Start, MEMORY),
    attempt("hostile_alloc", "", Stop, MEMORY),
    attempt("hostile_alloc", "", Interrupt, MEMORY),
    attempt("hostile_alloc", "", Timer, MEMORY),
    attempt("hostile_alloc", "", Command, MEMORY),
    attempt("hostile_alloc", "", Cancelled, MEMORY),
    attempt("hostile_alloc", "", Completed, MEMORY),
    attempt("hostile_resumed", "alloc", Resume, MEMORY),
    attempt("hostile_filter", "spin", Filter, FILTER_OFF),
    attempt("hostile_filter", "trap", Filter, FILTER_OFF),
    attempt("hostile_filter", "recurse", Filter, FILTER_OFF),
    attempt("hostile_filter", "alloc", Filter, FILTER_OFF),
    attempt("hostile_filter", "fill", Filter, FILTER_OFF),
    attempt("hostile_filter", "import", Filter, FILTER_OFF),
];

/// The same, in the handlers that the drivers around it and the power have.
pub const AROUND: &[Attempt] = &[
    attempt("hostile_spin", "", PinConfigure, CPU),
    attempt("hostile_spin", "", PinRead, CPU),
    attempt("hostile_spin", "", PinWrite, CPU),
    attempt("hostile_spin", "", Structural, CPU),
    attempt("hostile_spin", "", AllowPowerChange, CPU),
    attempt("hostile_spin", "", SetPowerState, CPU),
    attempt("hostile_spin", "", PowerStateDidChange, CPU),
    attempt("hostile_trap", "", PinConfigure, TRAP),
    attempt("hostile_trap", "", PinRead, TRAP),
    attempt("hostile_trap", "", PinWrite, TRAP),
    attempt("hostile_trap", "", Structural, TRAP),
    attempt("hostile_trap", "", AllowPowerChange, TRAP),
    attempt("hostile_trap", "", SetPowerState, TRAP),
    attempt("hostile_trap", "", PowerStateDidChange, TRAP),
    attempt("hostile_recurse", "", PinConfigure, STACK),
    attempt("hostile_recurse", "", PinRead, STACK),
    attempt("hostile_recurse", "", PinWrite, STACK),
    attempt("hostile_recurse", "", Structural, STACK),
    attempt("hostile_recurse", "", AllowPowerChange, STACK),
    attempt("hostile_recurse", "", SetPowerState, STACK),
    attempt("hostile_recurse", "", PowerStateDidChange, STACK),
    attempt("hostile_alloc", "", PinConfigure, MEMORY),
    attempt("hostile_alloc", "", PinRead, MEMORY),
    attempt("hostile_alloc", "", PinWrite, MEMORY),
    attempt("hostile_alloc", "", Structural, MEMORY),
    attempt("hostile_alloc", "", AllowPowerChange, MEMORY),
    attempt("hostile_alloc", "", SetPowerState, MEMORY),
    attempt("hostile_alloc", "", PowerStateDidChange, MEMORY),
    attempt("hostile_pins", "flood", Timer, CPU),
    attempt("hostile_pins", "turns", Timer, Runs),
    attempt("hostile_pins", "back", PinRead, IN_ORDER),
    attempt("hostile_pins", "repeat", PinRead, IN_ORDER),
    attempt("hostile_pins", "future", PinRead, IN_ORDER),
    attempt(
        "hostile_pins",
        "beyond",
        PinRead,
        Tells("misbehaved: bad-argument bad-argument bad-argument not-granted not-granted"),
    ),
    attempt("hostile_pins", "lies", PinRead, Tells("1 0 1 0 1 0 1 0")),
    attempt(
        "hostile_pins",
        "errors",
        PinRead,
        Tells("no-device would-deadlock timed-out driver-died"),
    ),
    attempt("hostile_around", "closing", Structural, Tells("by force")),
    attempt("hostile_around", "opens", Structural, CPU),
    attempt("hostile_around", "clients", Structural, Runs),
    attempt(
        "hostile_around",
        "awake",
        AllowPowerChange,
        Tells("not-permitted"),
    ),
    attempt("hostile_around", "cannot", SetPowerState, Tells("asleep")),
    attempt("hostile_around", "early", SetPowerState, Tells("asleep")),
];

const IN_ORDER: Verdict = Tells("800 edges, its times are in order");

/// What takes the board's time, which only virtual time has to give.
pub const SLOW: &[Attempt] = &[
    attempt("hostile_around", "later", SetPowerState, LATE),
    attempt("hostile_around", "endless", SetPowerState, LATE),
];

const LATE: Verdict = Tells("`set-power-state` was not done with in time");

/// While it is replaced by another version.
pub const RELOADS: &[Attempt] = &[
    attempt("hostile_spin", "", Save, OUTLIVED_CPU),
    attempt("hostile_spin", "", Reload, OUTLIVED_START),
    attempt("hostile_spin", "", Restore, OUTLIVED_CPU),
    attempt("hostile_trap", "", Save, OUTLIVED_TRAP),
    attempt("hostile_trap", "", Reload, OUTLIVED_TRAP),
    attempt("hostile_trap", "", Restore, OUTLIVED_TRAP),
    attempt("hostile_recurse", "", Save, OUTLIVED_STACK),
    attempt("hostile_recurse", "", Reload, OUTLIVED_STACK),
    attempt("hostile_recurse", "", Restore, OUTLIVED_STACK),
    attempt("hostile_alloc", "", Save, OUTLIVED_MEMORY),
    attempt("hostile_alloc", "", Reload, OUTLIVED_MEMORY),
    attempt("hostile_alloc", "", Restore, OUTLIVED_MEMORY),
    attempt(
        "hostile_state",
        "version",
        Restore,
        Tells("refused the state, of version 2: bad-argument"),
    ),
    attempt(
        "hostile_state",
        "bytes",
        Restore,
        Tells("refused the state, of version 1: bad-argument"),
    ),
    attempt(
        "hostile_state",
        "refuses",
        Restore,
        Tells("refused the state, of version 1: busy"),
    ),
    attempt("hostile_state", "huge", Save, STATE),
    attempt(
        "hostile_state",
        "busy",
        Save,
        Tells("`save-state` says `busy`"),
    ),
    attempt("hostile_state", "start", Reload, WITHHELD),
    attempt("hostile_state", "restore", Restore, WITHHELD),
    attempt("raw_state_spin", "", Save, OUTLIVED_CPU),
    attempt("raw_state_case", "", Save, Outlived("discriminant")),
    attempt("raw_state_beyond", "", Save, Outlived("out of bounds")),
    attempt("raw_state_long", "", Save, STATE),
];

const OUTLIVED_CPU: Verdict = Outlived("limit `handler-cpu`: more than 10 ms");
const OUTLIVED_START: Verdict = Outlived("limit `start`: `start` took more than 200 ms");
const OUTLIVED_TRAP: Verdict = Outlived(PANICKED);
const OUTLIVED_STACK: Verdict = Outlived("limit `stack`: more than 128 KiB");
const OUTLIVED_MEMORY: Verdict = Outlived("limit `memory`: asked for");
const STATE: Verdict = Tells("limit `state`");
const WITHHELD: Verdict = Tells(
    "set=not-permitted read=not-permitted write=not-permitted run=not-permitted \
     attempt=not-permitted immediate=not-permitted submit=not-permitted",
);

const FILTER_OFF: Verdict = Tells("is switched off, and every interrupt counts from now on");

/// What imports are handed.
pub const IMPORTS: &[Attempt] = &[
    attempt("hostile_raw", "long:log", Timer, PAYLOAD),
    attempt("hostile_raw", "long:pin", Timer, PAYLOAD),
    attempt("hostile_raw", "long:port", Timer, PAYLOAD),
    attempt("hostile_raw", "long:client", Timer, PAYLOAD),
    attempt("hostile_raw", "long:run", Timer, PAYLOAD),
    attempt("hostile_raw", "long:submit", Timer, PAYLOAD),
    attempt("hostile_raw", "long:complete", Timer, PAYLOAD),
    attempt("hostile_raw", "long:publish", Timer, PAYLOAD),
    attempt("hostile_raw", "long:selectors", Timer, PAYLOAD),
    attempt("hostile_raw", "long:pins", Timer, PAYLOAD),
    attempt("hostile_raw", "long:write", Timer, PAYLOAD),
    attempt("hostile_raw", "beyond:log", Timer, BEYOND),
    attempt("hostile_raw", "beyond:pin", Timer, BEYOND),
    attempt("hostile_raw", "beyond:port", Timer, BEYOND),
    attempt("hostile_raw", "beyond:client", Timer, BEYOND),
    attempt("hostile_raw", "beyond:run", Timer, BEYOND),
    attempt("hostile_raw", "beyond:submit", Timer, BEYOND),
    attempt("hostile_raw", "beyond:complete", Timer, BEYOND),
    attempt("hostile_raw", "beyond:publish", Timer, BEYOND),
    attempt("hostile_raw", "beyond:selectors", Timer, BEYOND),
    attempt("hostile_raw", "beyond:pins", Timer, BEYOND),
    attempt("hostile_raw", "beyond:write", Timer, BEYOND),
    attempt("hostile_raw", "not-utf8", Timer, Fails("utf-8")),
    attempt(
        "hostile_raw",
        "no-such-level",
        Timer,
        Fails("unexpected discriminant: 77"),
    ),
    attempt(
        "hostile_raw",
        "no-such-edge",
        Timer,
        Fails("unexpected discriminant: 77"),
    ),
    attempt(
        "hostile_raw",
        "no-such-kind",
        Timer,
        Fails("unexpected discriminant: 77"),
    ),
    attempt("hostile_raw", "result:beyond", Timer, BEYOND),
    attempt("hostile_raw", "result:odd", Timer, Fails("not aligned")),
    attempt("hostile_raw", "leak:loops", Timer, HANDLES),
    attempt("hostile_raw", "leak:streams", Timer, HANDLES),
    attempt(
        "hostile_raw",
        "random",
        Timer,
        Fails("its limit `payload` is 65536"),
    ),
    attempt(
        "hostile_raw",
        "exit",
        Timer,
        Fails("a driver ends by returning"),
    ),
    attempt("hostile_raw", "sold:timer", Timer, Fails("trap: ")),
    attempt("hostile_raw", "sold:client", Timer, Fails("trap: ")),
    attempt("hostile_handles", "stale", Timer, Fails(NO_HANDLE)),
    attempt("hostile_handles", "foreign", Timer, Fails(NO_HANDLE)),
    attempt("hostile_handles", "mistaken", Timer, Fails("trap: ")),
    attempt("hostile_handles", "double-drop", Timer, Fails(NO_HANDLE)),
    attempt(
        "hostile_handles",
        "twice",
        Timer,
        Tells("signalled off the loop: not-ready"),
    ),
    attempt("hostile_aliased_strings", "", Timer, PAYLOAD),
    attempt(
        "hostile_sources",
        "timers",
        Timer,
        Tells("stopped by `no-resources`"),
    ),
    attempt(
        "hostile_sources",
        "interrupts",
        Timer,
        Tells("stopped by `no-resources`"),
    ),
    attempt(
        "hostile_sources",
        "gates",
        Timer,
        Tells("stopped by `no-resources`"),
    ),
    attempt(
        "hostile_sources",
        "lines",
        Timer,
        Tells("stopped by `busy`"),
    ),
    attempt("hostile_sources", "pins", Timer, Tells("stopped by `busy`")),
    attempt(
        "hostile_sources",
        "feeds",
        Timer,
        Tells("stopped by `bad-argument`"),
    ),
    attempt(
        "hostile_sources",
        "clients",
        Timer,
        Tells("stopped by `no-resources`"),
    ),
    attempt(
        "hostile_sources",
        "services",
        Timer,
        Tells("stopped by `not-granted`"),
    ),
    attempt("hostile_sleep", "", Timer, Fails("a handler must not wait")),
    attempt("hostile_stdin", "", Timer, Tells("read 0 bytes")),
    attempt(
        "hostile_initialiser",
        "",
        Start,
        Tells("got `not-permitted`"),
    ),
];

/// Devices on buses.
pub const BUSES: &[Attempt] = &[
    attempt("hostile_bus", "operations", Timer, PAYLOAD),
    attempt("hostile_bus", "many", Timer, BAD_ARGUMENT),
    attempt("hostile_bus", "read", Timer, BAD_ARGUMENT),
    attempt("hostile_bus", "write", Timer, PAYLOAD),
    attempt("hostile_bus", "long", Timer, WALL),
    // It has started before, and the bus is stuck since.
    attempt("hostile_bus", "stuck", Start, Tells("name: \"io\"")),
    attempt("hostile_bus", "stuck", Interrupt, WALL),
    attempt("hostile_bus", "stuck", Timer, WALL),
    attempt("hostile_bus", "stuck", Command, WALL),
    attempt("hostile_bus", "stuck", Cancelled, WALL),
    attempt("hostile_bus", "stuck", Completed, WALL),
    attempt("hostile_bus", "stuck", Stop, WALL),
    attempt("hostile_bus", "flood", Timer, WALL),
    attempt(
        "hostile_bus",
        "open",
        Timer,
        Tells("opened 1, stopped by ErrorCode { code: 7, name: \"busy\""),
    ),
    attempt("hostile_bus", "delay", Timer, Tells("name: \"timed-out\"")),
];

/// Requests, and what never ends.
pub const REQUESTS: &[Attempt] = &[
    attempt(
        "hostile_requests",
        "complete",
        Timer,
        Tells("completed 0 of them"),
    ),
    attempt(
        "hostile_requests",
        "complete",
        Command,
        Tells("completed 0 of them"),
    ),
    attempt(
        "hostile_requests",
        "cancel",
        Timer,
        Tells("cancelled 0 of them"),
    ),
    attempt(
        "hostile_requests",
        "flood",
        Timer,
        Tells("256 times, stopped by `no-resources`"),
    ),
    attempt(
        "hostile_requests",
        "flood-room",
        Timer,
        Tells("64 times, stopped by `no-resources`"),
    ),
    attempt("hostile_requests", "calls", Timer, CPU),
    attempt(
        "hostile_requests",
        "long",
        Timer,
        Tells("stopped by `timed-out`"),
    ),
    attempt(
        "hostile_requests",
        "ungranted",
        Timer,
        Tells("stopped by `not-granted`"),
    ),
    attempt("hostile_requests", "selectors", Timer, Tells("refused 100")),
    attempt(
        "hostile_requests",
        "tokens",
        Timer,
        Tells("made [0, 1, 1, 1]"),
    ),
    attempt(
        "hostile_requests",
        "delay",
        Timer,
        Tells("endless: timed-out; 3 times, stopped by `timed-out`"),
    ),
    attempt("hostile_reply", "", Command, PAYLOAD),
    attempt("hostile_requests", "swallow", Timer, MEMORY),
    attempt("hostile_resumed", "flood", Resume, Runs),
    attempt("hostile_flood", "timers", Timer, Runs),
    attempt("hostile_flood", "past", Timer, Runs),
    attempt("hostile_flood", "signals", Timer, Runs),
    attempt("hostile_flood", "churn", Timer, Runs),
    attempt("hostile_flood", "requeue", Timer, Runs),
    attempt("hostile_flood", "filters", Timer, Runs),
    attempt("hostile_flood", "outputs", Timer, Runs),
    attempt("hostile_flood", "logs", Timer, Runs),
    attempt("hostile_flood", "calls", Timer, Runs),
    attempt("hostile_flood", "submissions", Timer, Runs),
    attempt("hostile_flood", "gate", Timer, Runs),
    attempt("hostile_flood", "prints", Timer, Runs),
    attempt("hostile_flood", "wires", Timer, Runs),
    attempt("hostile_hog", "delays", Timer, Runs),
    attempt("hostile_hog", "changes", Timer, Runs),
    attempt("hostile_filter", "churn", Start, Runs),
    amount("200", attempt("hostile_log", "", Timer, Runs)),
    amount("20", attempt("hostile_log", "long", Timer, Runs)),
    amount("20", attempt("hostile_log", "control", Timer, Runs)),
    attempt("hostile_println", "", Timer, Tells("printed")),
];

/// What no compiler would let through.
pub const MODULES: &[Attempt] = &[
    attempt("raw_early_spin", "", Start, START),
    attempt("raw_early_trap", "", Start, TRAP),
    attempt("raw_early_recursion", "", Start, STACK),
    attempt("raw_early_memory", "", Start, MEMORY),
    attempt("raw_early_import", "", Start, Runs),
    attempt("raw_memory_large", "", Start, MEMORY),
    attempt("raw_memory_endless", "", Start, MEMORY),
    attempt(
        "raw_memories",
        "",
        Start,
        Fails("memory count too high at 17"),
    ),
    attempt("raw_table_large", "", Start, TABLES),
    attempt("raw_table_endless", "", Start, TABLES),
    attempt("raw_data_beyond", "", Start, BEYOND),
    attempt("raw_post_return_spin", "", Start, START),
    attempt(
        "raw_post_return_import",
        "",
        Start,
        Fails("cannot leave component instance"),
    ),
    attempt("raw_realloc_spin", "", Start, START),
    attempt(
        "raw_realloc_beyond",
        "",
        Start,
        Fails("beyond end of memory"),
    ),
    attempt("raw_realloc_odd", "", Start, Fails("not aligned")),
    attempt(
        "raw_realloc_import",
        "",
        Start,
        Fails("cannot leave component instance"),
    ),
    attempt("raw_result_beyond", "", Start, BEYOND),
    attempt("raw_result_odd", "", Start, Fails("not aligned")),
    attempt("raw_result_case", "", Start, Fails("discriminant")),
    attempt("raw_text_not_utf8", "", Start, Fails("utf-8")),
    attempt("raw_text_beyond", "", Start, BEYOND),
    attempt("raw_text_long", "", Start, PAYLOAD),
    attempt("raw_fill", "", Timer, CPU),
    attempt("raw_grow_nothing", "", Timer, CPU),
    attempt("raw_grow_refused", "", Timer, CPU),
    attempt("raw_grow_up", "", Timer, MEMORY),
    attempt("raw_table_up", "", Timer, TABLES),
    attempt("raw_tail_calls", "", Timer, CPU),
    attempt("raw_division", "", Timer, Fails("integer divide by zero")),
    attempt("raw_beyond_memory", "", Timer, BEYOND),
    attempt(
        "raw_no_such_function",
        "",
        Timer,
        Fails("uninitialized element"),
    ),
];

/// So many of each kind does `cargo xtask build` make.
const RANDOM: usize = 24;

/// Components that nobody wrote. Whatever they do is well, as long as it does
/// nothing to anybody else; what is no driver is refused.
pub fn random() -> Vec<Attempt> {
    let named = |kind: &'static str, verdict| {
        (0..RANDOM).map(move |seed| Attempt {
            guest: Cow::Owned(format!("random_{kind}_{seed}")),
            ..attempt("", "", Start, verdict)
        })
    };
    named("driver", Any)
        .chain(named("other", NO_DRIVER))
        .collect()
}

const NO_DRIVER: Verdict = Fails("random_other_");

/// All of it.
pub fn corpus() -> Vec<Attempt> {
    let written = [HANDLERS, AROUND, RELOADS, IMPORTS, BUSES, REQUESTS, MODULES];
    written.concat().into_iter().chain(random()).collect()
}
