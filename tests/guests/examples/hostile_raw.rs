//! Calls imports past the SDK when it is set off, with what safe code cannot
//! say. Config `how` is a way and, after a colon, what it is tried with:
//!
//! - `long:IMPORT`: a text or list of a MiB; `beyond:IMPORT`: one that reaches
//!   past the end of memory, to import `log`, `pin`, `port`, `client`, `run`,
//!   `submit`, `complete`, `publish`, `selectors`, `pins` or `write`;
//! - `not-utf8`, `no-such-level`, `no-such-edge`, `no-such-kind`: values that
//!   there are not;
//! - `result:beyond`, `result:odd`: the result is to be written past the end of
//!   memory, or to an odd address;
//! - `leak:loops`, `leak:streams`: takes handles that cost nothing, without end;
//! - `random`: more random bytes at once than a call may carry;
//! - `exit`: ends the process;
//! - `sold:timer`, `sold:client`: uses a handle of that kind as a gate, a
//!   timer's as an interrupt line.

#![allow(unsafe_code, reason = "safe code cannot say such things")]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

mod raw {
    #[link(wasm_import_module = "loopgate:driver/log@0.1.0")]
    unsafe extern "C" {
        #[link_name = "log"]
        pub(crate) fn log(level: i32, text: usize, length: usize);
    }

    #[link(wasm_import_module = "loopgate:driver/gpio@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[static]pin.open"]
        pub(crate) fn pin(text: usize, length: usize, direction: i32, high: i32, result: usize);
        #[link_name = "[method]pin.interrupt"]
        pub(crate) fn interrupt(pin: i32, edge: i32, result: usize);
    }

    #[link(wasm_import_module = "loopgate:driver/serial@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[static]port.open"]
        pub(crate) fn port(text: usize, length: usize, baud: i32, result: usize);
        #[link_name = "[method]port.write"]
        pub(crate) fn write(port: i32, bytes: usize, length: usize, result: usize);
    }

    #[link(wasm_import_module = "loopgate:driver/published-pins@0.1.0")]
    unsafe extern "C" {
        #[link_name = "publish-pins"]
        pub(crate) fn pins(text: usize, length: usize, names: usize, count: usize, result: usize);
    }

    #[link(wasm_import_module = "loopgate:driver/request@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[static]client.open"]
        pub(crate) fn client(text: usize, length: usize, result: usize);
        #[link_name = "[method]client.run-command"]
        pub(crate) fn run(
            client: i32,
            selector: i32,
            scalars_0: i64,
            scalars_1: i64,
            scalars_2: i64,
            scalars_3: i64,
            data: usize,
            length: usize,
            reply_max: i32,
            timeout: i64,
            result: usize,
        );
        #[link_name = "[method]client.submit"]
        pub(crate) fn submit(
            client: i32,
            selector: i32,
            scalars_0: i64,
            scalars_1: i64,
            scalars_2: i64,
            scalars_3: i64,
            data: usize,
            length: usize,
            reply_max: i32,
            deadline: i64,
            context: i32,
            result: usize,
        );
        #[link_name = "io-command-is-complete"]
        pub(crate) fn complete(
            id: i64,
            case: i32,
            scalar: i64,
            data: usize,
            length: usize,
            result: usize,
        );
        #[link_name = "publish"]
        pub(crate) fn publish(
            name: usize,
            name_length: usize,
            gate: i32,
            queueing: i32,
            input_max: i32,
            selectors: usize,
            count: usize,
            result: usize,
        );
    }

    #[link(wasm_import_module = "loopgate:driver/work-loop@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[static]work-loop.get"]
        pub(crate) fn get() -> i32;
        #[link_name = "[method]work-loop.add-event-source"]
        pub(crate) fn add(work_loop: i32, kind: i32, source: i32, result: usize);
        #[link_name = "[static]timer-event-source.create"]
        pub(crate) fn timer(token: i32, result: usize);
        #[link_name = "[static]interrupt-event-source.create"]
        pub(crate) fn source(some: i32, line: i32, token: i32, result: usize);
        #[link_name = "[method]command-gate.enable"]
        pub(crate) fn enable(gate: i32);
    }

    #[link(wasm_import_module = "wasi:cli/stdout@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-stdout"]
        pub(crate) fn stdout() -> i32;
    }

    #[link(wasm_import_module = "wasi:random/random@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-random-bytes"]
        pub(crate) fn random(length: i64, result: usize);
    }
}

const MEBIBYTE: usize = 1 << 20;
const GATE: i32 = 1_000_001;
const TIMER: i32 = 1_000_002;

/// Room for the result of any of them.
#[repr(C, align(8))]
struct Room([u8; 32]);

impl Room {
    fn new() -> Self {
        Self([0; 32])
    }

    fn address(&mut self) -> usize {
        self.0.as_mut_ptr() as usize
    }

    /// The handle of a `result<own, enum>`.
    fn handle(&self) -> i32 {
        let [_, _, _, _, a, b, c, d, ..] = self.0;
        i32::from_le_bytes([a, b, c, d])
    }
}

fn misuse(trigger: &Trigger) -> Reply {
    let (way, what) = trigger.how.split_once(':').unwrap_or((&trigger.how, ""));
    let mut room = Room::new();
    let result = room.address();
    // SAFETY: numbers alone cross the boundary; the host must cope with them,
    // and where it writes there is room, or is none of ours.
    unsafe {
        match way {
            "long" => {
                let text = vec![b'a'; MEBIBYTE];
                pass(what, text.as_ptr() as usize, text.len());
            }
            "beyond" => pass(what, 16, usize::MAX - 64),
            "not-utf8" => {
                let text = [0xff_u8, 0xfe];
                raw::log(2, text.as_ptr() as usize, text.len());
            }
            "no-such-level" => raw::log(77, 16, 1),
            "no-such-edge" => raw::interrupt(pin(), 77, result),
            "no-such-kind" => raw::add(raw::get(), 77, timer(), result),
            "result" if what == "beyond" => raw::timer(TIMER, usize::MAX - 15),
            "result" => raw::timer(TIMER, result + 1),
            "leak" if what == "loops" => loop {
                raw::get();
            },
            "leak" => loop {
                raw::stdout();
            },
            "random" => raw::random(1 << 40, result),
            "exit" => std::process::exit(0),
            "sold" if what == "client" => raw::enable(client()),
            _ => raw::source(1, timer(), GATE, result),
        }
    }
    "survived".into()
}

/// Hands a text, or a list, to the import.
unsafe fn pass(import: &str, text: usize, length: usize) {
    let mut room = Room::new();
    let result = room.address();
    // SAFETY: as above.
    unsafe {
        match import {
            "log" => raw::log(2, text, length),
            "pin" => raw::pin(text, length, 0, 0, result),
            "port" => raw::port(text, length, 0, result),
            "client" => raw::client(text, length, result),
            "run" => raw::run(client(), 1, 0, 0, 0, 0, text, length, 0, 0, result),
            "submit" => raw::submit(client(), 1, 0, 0, 0, 0, text, length, 0, 0, 0, result),
            "complete" => raw::complete(1, 0, 0, text, length, result),
            "publish" => raw::publish(text, length, GATE, 0, 0, 16, 0, result),
            // So many of 28 bytes each.
            "selectors" => raw::publish(16, 1, GATE, 0, 0, text & !3, length / 28, result),
            "pins" => raw::pins(16, 1, text & !3, length / 8, result),
            _ => raw::write(port(), text, length, result),
        }
    }
}

fn pin() -> i32 {
    let mut room = Room::new();
    // SAFETY: the name is in memory, the result has room.
    unsafe { raw::pin("in".as_ptr() as usize, 2, 0, 0, room.address()) };
    room.handle()
}

fn port() -> i32 {
    let mut room = Room::new();
    // SAFETY: as above.
    unsafe { raw::port("port".as_ptr() as usize, 4, 0, room.address()) };
    room.handle()
}

fn client() -> i32 {
    let mut room = Room::new();
    // SAFETY: as above.
    unsafe { raw::client("echo".as_ptr() as usize, 4, room.address()) };
    room.handle()
}

fn timer() -> i32 {
    let mut room = Room::new();
    // SAFETY: as above.
    unsafe { raw::timer(TIMER, room.address()) };
    room.handle()
}

misbehaves!(misuse);
