//! As `probe_echo`, without sources and services: the bare component call
//! that the benchmarks compare with.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

struct Bare {
    delivered: u64,
}

impl Driver for Bare {
    fn start(_: &Context) -> Result<Self> {
        Ok(Self { delivered: 0 })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.delivered += u64::from(event.count);
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        Ok(request.data.into())
    }
}

driver!(Bare);
