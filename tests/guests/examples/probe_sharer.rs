//! Shares the level line `in` with others: its filter claims an interrupt while
//! its own input `mine`, the first of its entry, is high, and its handler pulses
//! the output `ack`. Config `how` says what else the handler does:
//!
//! - `traps`: it panics, and acknowledges nothing;
//! - `waits`: before that it asks the service `target` to `step`, again and again
//!   until the answer is 1, or `steps` times;
//! - `refires`: it enables its source 1000 times, and acknowledges nothing;
//! - `off`: it switches the line off;
//! - `steps`: it has no `in`, and is such a target: a step takes 20 ms, and says
//!   whether `mine` is high.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const COUNTED: u32 = 1;
const STEP: u32 = 2;
const AGAIN: u32 = 3;

struct Sharer {
    how: String,
    target: String,
    counted: u64,
    /// How often the target may step.
    steps: u64,
    mine: InputPin,
    ack: Option<OutputPin>,
    shared: Option<(InputPin, Interrupt)>,
    _service: Service,
}

impl Driver for Sharer {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "sharer"))
            .selector(COUNTED, "counted", "", "interrupts delivered")
            .selector(STEP, "step", "", "1 while `mine` is high, after 20 ms")
            .selector(
                AGAIN,
                "again",
                "",
                "what a second interrupt of `in` comes to",
            );
        let mine = cx.input("mine")?;
        let how = cx.config("how").unwrap_or_default();
        let shared = if how == "steps" {
            None
        } else {
            let pin = cx.input("in")?;
            let source = cx.filtered_interrupt(&pin.edges(Edges::HighLevel)?, 0)?;
            Some((pin, source))
        };
        Ok(Self {
            how: how.into(),
            target: cx.config("target").unwrap_or_default().into(),
            counted: 0,
            steps: cx.config_or("steps", u64::MAX)?,
            mine,
            ack: shared.as_ref().map(|_| cx.output("ack")).transpose()?,
            shared,
            _service: service.publish()?,
        })
    }

    fn filter(event: FilterEvent) -> Verdict {
        if event.levels & 1 == 1 {
            Verdict::Mine
        } else {
            Verdict::NotMine
        }
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.counted += u64::from(event.count);
        match self.how.as_str() {
            "traps" => panic!("on purpose"),
            "waits" => self.wait()?,
            "refires" => {
                if let Some((_, source)) = &self.shared {
                    (0..1000).for_each(|_| source.enable());
                }
                return Ok(());
            }
            "off" => {
                if let Some((_, source)) = &self.shared {
                    source.disable();
                }
            }
            _ => {}
        }
        if let Some(ack) = &self.ack {
            ack.set_high()?;
            ack.set_low()?;
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            COUNTED => Ok(Reply::new(self.counted, "")),
            STEP => {
                delay(20.millis())?;
                Ok(Reply::new(u64::from(self.mine.is_high()?), ""))
            }
            AGAIN => {
                let Some((pin, _)) = &self.shared else {
                    return Err(ErrorCode::BadArgument.into());
                };
                match pin.edges(Edges::HighLevel) {
                    Ok(_) => Ok("ok".into()),
                    Err(error) => Ok(error.code().name().into()),
                }
            }
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

impl Sharer {
    /// The time in another driver's handler is not this one's.
    fn wait(&self) -> Result<()> {
        let target = Client::open(&self.target)?;
        let step = Ask {
            selector: STEP,
            scalars: [0; 4],
            data: &[],
            reply_max: 0,
        };
        for _ in 0..self.steps {
            if target.run_command(&step, 10_000.millis())?.scalar() == 1 {
                break;
            }
        }
        Ok(())
    }
}

driver!(Sharer);
