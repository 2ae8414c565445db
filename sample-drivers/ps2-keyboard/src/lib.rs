//! A PS/2 keyboard. See README.md.

#![forbid(unsafe_code)]

mod frame;
mod keys;
mod latest;

use frame::Frames;
use keys::{Decoder, Key};
use latest::Latest;
use loopgate_guest::prelude::*;

/// The service's selectors.
const KEYS: u32 = 1;
const CODES: u32 = 2;
const ERRORS: u32 = 3;

struct Ps2Keyboard {
    clock: Interrupt,
    data: Interrupt,
    merge: Interrupt,
    /// Taken, and not decoded yet.
    edges: Vec<Edge>,
    /// The time of the newest edge at the last merge.
    settled: u64,
    frames: Frames,
    decoder: Decoder,
    keys: Latest<Key>,
    codes: Latest<u8>,
    _service: Service,
}

/// By their order: data that changes as the clock falls was there first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Data { high: bool },
    Clock,
}

/// When, in nanoseconds, and what.
type Edge = (u64, Change);

impl Driver for Ps2Keyboard {
    fn start(cx: &Context) -> Result<Self> {
        let data = cx.input("data")?;
        let keys = "the latest keys, oldest first, a JSON object a line; scalar: keys in all";
        let codes = "the latest codes, in hexadecimal, one a line; scalar: codes in all";
        let service = cx
            .service("keyboard")
            .selector(KEYS, "keys", "", keys)
            .selector(CODES, "codes", "", codes)
            .selector(ERRORS, "errors", "", "frames that were broken");
        Ok(Self {
            // Sources are served in this order: `merge` behind the pins.
            clock: cx.interrupt(&cx.input("clock")?.edges(Edges::Falling)?)?,
            data: cx.interrupt(&data.edges(Edges::Both)?)?,
            merge: cx.software_interrupt()?,
            edges: Vec::new(),
            settled: 0,
            frames: Frames::new(data.is_high()?),
            decoder: Decoder::default(),
            keys: Latest::default(),
            codes: Latest::default(),
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        if source == self.merge {
            return self.decode_settled();
        }
        if event.lost > 0 {
            warn!(
                "{} edges lost, and the keys that they belong to",
                event.lost
            );
            self.frames.broken();
        }
        let is_clock = source == self.clock;
        let line = if is_clock { &self.clock } else { &self.data };
        let taken = line.take_occurrences(event.count).into_iter();
        self.edges.extend(taken.map(|edge| {
            let data = Change::Data { high: edge.high };
            let change = if is_clock { Change::Clock } else { data };
            (edge.timestamp.as_nanos(), change)
        }));
        self.merge.signal()
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let room = request.reply_max as usize;
        match request.selector {
            KEYS => Ok(self.keys.reply(room / keys::LINE_MAX, Key::to_string)),
            CODES => Ok(self.codes.reply(room / 3, |code| format!("{code:02x}"))),
            ERRORS => Ok(self.frames.errors().into()),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

impl Ps2Keyboard {
    /// What was there at the last merge: the other line was asked since then, and
    /// has nothing earlier any more. The sample `quadrature` says more of this.
    fn decode_settled(&mut self) -> Result<()> {
        self.edges.sort_unstable();
        let settled = self.edges.partition_point(|(at, _)| *at <= self.settled);
        for (at, change) in self.edges.drain(..settled) {
            let code = match change {
                Change::Data { high } => {
                    self.frames.data(high);
                    None
                }
                Change::Clock => self.frames.clock(at),
            };
            if let Some(code) = code {
                self.codes.keep(code);
                if let Some(key) = self.decoder.code(code) {
                    self.keys.keep(key);
                }
            }
        }
        let Some((newest, _)) = self.edges.last() else {
            return Ok(());
        };
        self.settled = *newest;
        self.merge.signal()
    }
}

driver!(Ps2Keyboard);
