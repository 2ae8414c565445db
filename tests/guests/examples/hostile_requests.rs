//! Misuses requests when it is set off, in the way that `how` says, and tells
//! what it got:
//!
//! - `complete`: completes requests that it never received;
//! - `cancel`: cancels requests that it never submitted;
//! - `flood`, `flood-room`: submits to `echo` without end, in the second case
//!   with as much room for replies as it can ask for;
//! - `calls`: calls `echo` down without end;
//! - `long`: calls the service `slow` without end, whose time is not its own;
//! - `swallow`: fills its memory, and asks the service `big` for a reply that
//!   finds no room there;
//! - `ungranted`: opens services that it was not granted, without end;
//! - `selectors`: asks `echo` for what it does not have, without end;
//! - `tokens`: publishes through gates that it never made, and makes several
//!   sources of each token;
//! - `pause`: waits for 5 ms, as a service that `long` can call;
//! - `delay`: waits for as long as it can ask for, then for as long as it may.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_guest::{bindings::loopgate::driver as raw, complete};
use loopgate_test_guests::{Trigger, misbehaves};

const TRIES: u64 = 1_000_000;
const ECHO: u32 = 1;

fn misuse(trigger: &Trigger) -> Reply {
    let told = match trigger.how.as_str() {
        "complete" => Ok(completed()),
        "cancel" => cancelled(),
        "flood" => submitted(0),
        "flood-room" => submitted(u32::MAX),
        "calls" => called("echo", 0),
        "long" => called("slow", 1),
        "swallow" => swallowed(),
        "ungranted" => Ok(opened()),
        "selectors" => asked(),
        "tokens" => Ok(tokens()),
        "pause" => delay(5.millis()).map(|()| "paused".into()),
        _ => Ok(waited()),
    };
    told.unwrap_or_else(|error| error.to_string()).into()
}

/// One of the ids may be the request that is being served: its own to complete.
fn completed() -> String {
    let ids = (2..1000).chain([0, u64::MAX]);
    let done = ids.filter(|&id| complete(RequestId::from_raw(id), Ok(().into())).is_ok());
    format!("completed {} of them", done.count())
}

fn cancelled() -> Result<String> {
    let client = Client::open("echo")?;
    let ids = (0..1000).chain([u64::MAX]);
    let done = ids.filter(|&id| client.cancel(RequestId::from_raw(id)).is_ok());
    Ok(format!("cancelled {} of them", done.count()))
}

fn submitted(reply_max: u32) -> Result<String> {
    let client = Client::open("echo")?;
    let ask = Ask {
        selector: ECHO,
        reply_max,
        ..Ask::default()
    };
    let told = until_error(|| client.submit_with_context(&ask, None, 0).map(drop));
    std::mem::forget(client);
    Ok(told)
}

fn called(service: &str, selector: u32) -> Result<String> {
    let client = Client::open(service)?;
    let ask = Ask {
        selector: selector.max(ECHO),
        reply_max: u32::MAX,
        ..Ask::default()
    };
    Ok(until_error(|| client.run_command(&ask, 1.secs()).map(drop)))
}

fn swallowed() -> Result<String> {
    let client = Client::open("big")?;
    let ask = Ask {
        selector: 1,
        reply_max: u32::MAX,
        ..Ask::default()
    };
    let mut block = 1 << 20;
    while block > 1024 {
        let mut filling: Vec<u8> = Vec::new();
        if filling.try_reserve_exact(block).is_err() {
            block /= 2;
        }
        std::mem::forget(std::hint::black_box(filling));
    }
    client.run_command(&ask, 1.secs())?;
    Ok("swallowed".into())
}

fn opened() -> String {
    let name = "\u{1b}[2J\u{202e}".repeat(5000);
    let mut last = ErrorCode::Io;
    // Each is logged: more of them would leave what is told here out.
    for _ in 0..50 {
        if let Err(error) = Client::open(&name) {
            last = error.code();
        }
    }
    format!("stopped by `{}`", last.name())
}

fn asked() -> Result<String> {
    let client = Client::open("echo")?;
    let mut refused = 0;
    for selector in 1000..1100 {
        let ask = Ask {
            selector,
            ..Ask::default()
        };
        refused += u32::from(client.attempt_command(&ask).is_err());
    }
    Ok(format!("refused {refused}"))
}

fn tokens() -> String {
    use raw::request::Queueing;
    use raw::work_loop::{CommandGate, InterruptEventSource, TimerEventSource};
    let through = |gate| raw::request::publish("misbehave", gate, Queueing::Serial, 0, &[]);
    let published = [0, 1 << 20, u32::MAX].map(|gate| through(gate).is_ok());
    let timers = [(); 3].map(|()| TimerEventSource::create(u32::MAX).ok());
    let gates = [(); 3].map(|()| CommandGate::create(u32::MAX).ok());
    let interrupts = [(); 3].map(|()| InterruptEventSource::create(None, u32::MAX).ok());
    let made = [
        published.into_iter().filter(|made| *made).count(),
        timers.iter().flatten().count(),
        gates.iter().flatten().count(),
        interrupts.iter().flatten().count(),
    ];
    format!("made {made:?}")
}

fn waited() -> String {
    let endless = delay(Duration::from_nanos(u64::MAX));
    let endless = endless.map_or_else(|error| error.code().name(), |()| "ok");
    let told = until_error(|| delay(70.millis()));
    format!("endless: {endless}; {told}")
}

/// How often it went, and what ended it.
fn until_error(mut attempt: impl FnMut() -> Result<()>) -> String {
    for count in 0..TRIES {
        if let Err(error) = attempt() {
            return format!("{count} times, stopped by `{}`", error.code().name());
        }
    }
    format!("{TRIES} times")
}

misbehaves!(misuse);
