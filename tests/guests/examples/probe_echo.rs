//! Answers at once: what a gate call and an interrupt cost is measured with it.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// Data in, the same out.
const ECHO: u32 = 1;
/// The sum of the first two scalars.
const ADD: u32 = 2;
/// Signals the software interrupt `scalars[0]` times at once.
const SIGNAL: u32 = 3;
/// How many interrupts were delivered.
const INTERRUPTS: u32 = 4;
/// `scalars[0]` interrupts, each signalled by the handler of the one before.
const RELAY: u32 = 5;

struct Echo {
    interrupt: Interrupt,
    delivered: u64,
    relay: u64,
    _service: Service,
}

impl Driver for Echo {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "echo"))
            .input_max(4096)
            .selector(ECHO, "echo", "up to 4096 bytes", "the same bytes")
            .selector(ADD, "add", "two scalars", "their sum")
            .selector(SIGNAL, "signal", "how often", "nothing")
            .selector(INTERRUPTS, "interrupts", "", "interrupts delivered")
            .selector(
                RELAY,
                "relay",
                "how many interrupts, one causing the next",
                "nothing",
            );
        Ok(Self {
            interrupt: cx.software_interrupt()?,
            delivered: 0,
            relay: 0,
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.delivered += u64::from(event.count);
        if self.relay > 0 {
            self.relay -= 1;
            self.interrupt.signal()?;
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let [first, second, ..] = request.scalars;
        match request.selector {
            ECHO => Ok(request.data.into()),
            ADD => Ok(first.wrapping_add(second).into()),
            INTERRUPTS => Ok(self.delivered.into()),
            SIGNAL => {
                for _ in 0..first {
                    self.interrupt.signal()?;
                }
                Ok(().into())
            }
            RELAY if first > 0 => {
                self.relay = first - 1;
                self.interrupt.signal()?;
                Ok(().into())
            }
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

driver!(Echo);
