//! Counts what its filter of the input `in` lets through. The lowest byte of
//! the filter word says what the filter does:
//!
//! - 0: claims every third interrupt, by its number;
//! - 1: claims all; 2: none; 3: all, and keeps the line on;
//! - 4: claims where the bit of `levels` is set that the second byte names;
//! - 5: claims where a handler of this driver has run in its instance;
//! - 6: claims every third that it was asked about, as it remembers;
//! - 7: claims every third, after some thousand instructions.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const COUNTED: u32 = 1;
const LOST: u32 = 2;
const CALLS: u32 = 3;
const FILTERED: u32 = 4;
const WORD: u32 = 5;
const ENABLE: u32 = 6;
const TRAP: u32 = 7;

/// Handlers, in the instance that runs them.
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// Questions, in the instance that is asked.
static ASKED: AtomicU64 = AtomicU64::new(0);

struct Probe {
    counted: u64,
    lost: u64,
    calls: u64,
    how: String,
    source: Interrupt,
    // Held so that its level can be seen.
    _other: Option<InputPin>,
    _pin: InputPin,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "filter"))
            .selector(COUNTED, "counted", "", "interrupts delivered")
            .selector(LOST, "lost", "", "interrupts reported as lost")
            .selector(CALLS, "calls", "", "calls of the handler")
            .selector(FILTERED, "filtered", "", "1 while the filter decides")
            .selector(WORD, "word", "the filter word", "")
            .selector(ENABLE, "enable", "", "")
            .selector(TRAP, "trap", "", "");
        let edges = match cx.config("edges") {
            Some("high-level") => Edges::HighLevel,
            Some("low-level") => Edges::LowLevel,
            _ => Edges::Both,
        };
        let pin = cx.input("in")?;
        let word = cx.config_or("word", 0)?;
        let source = cx.filtered_interrupt(&pin.edges(edges)?, word)?;
        Ok(Self {
            counted: 0,
            lost: 0,
            calls: 0,
            how: cx.config("how").unwrap_or_default().into(),
            source,
            _other: cx.config("other").map(|pin| cx.input(pin)).transpose()?,
            _pin: pin,
            _service: service.publish()?,
        })
    }

    fn filter(event: FilterEvent) -> Verdict {
        let claims = match event.word & 0xff {
            1 => true,
            2 => false,
            3 => return Verdict::MineKeepLineOn,
            4 => event.levels >> (event.word >> 8) & 1 == 1,
            5 => HANDLED.load(Relaxed) > 0,
            6 => (ASKED.fetch_add(1, Relaxed) + 1).is_multiple_of(3),
            7 => {
                for step in 0..300 {
                    black_box(step);
                }
                event.occurrence.sequence.is_multiple_of(3)
            }
            _ => event.occurrence.sequence.is_multiple_of(3),
        };
        if claims {
            Verdict::Mine
        } else {
            Verdict::NotMine
        }
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        HANDLED.fetch_add(1, Relaxed);
        self.counted += u64::from(event.count);
        self.lost += u64::from(event.lost);
        self.calls += 1;
        match self.how.as_str() {
            "toggles" => {
                self.source.disable();
                self.source.enable();
            }
            "off" => self.source.disable(),
            "early" if self.calls == 1 => self.source.enable(),
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let answer = match request.selector {
            COUNTED => self.counted,
            LOST => self.lost,
            CALLS => self.calls,
            FILTERED => u64::from(self.source.is_filtered()),
            WORD => {
                self.source.set_filter_word(request.scalars[0]);
                0
            }
            ENABLE => {
                self.source.enable();
                0
            }
            TRAP => panic!("on purpose"),
            _ => return Err(ErrorCode::BadArgument.into()),
        };
        Ok(Reply::new(answer, answer.to_string()))
    }
}

driver!(Probe);
