//! One link of a chain of drivers: recurses close to its stack limit, and from
//! down there calls the service that config `next` names; the last has none.
//!
//! Service: config `service` (`chain` unless told). `scalars[0]`: how many
//! frames deep, for every link; 0 is config `frames` (520 unless told). A frame
//! takes some 220 bytes of the host's stack, measured on x86-64.
//!
//! The reply's scalar is the number of links that were reached, its text how it
//! ended: `ok`, or the code that a link got from the next.
//!
//! With config `after-ms` a link also calls on its own, from its timer and thus
//! on its loop's thread; the selector `report` then tells what came of it.

#![forbid(unsafe_code)]

use std::hint::black_box;

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const CALL: u32 = 1;
const REPORT: u32 = 2;

struct Link {
    next: Option<Client>,
    frames: u64,
    /// What came of the timer's call: links reached, and how it ended.
    told: (u64, Vec<u8>),
    _timer: Timer,
    _service: Service,
}

impl Driver for Link {
    fn start(cx: &Context) -> Result<Self> {
        let outcome = "links reached; how it ended";
        let service = cx
            .service(service_name(cx, "chain"))
            .selector(CALL, "call", "frames", outcome)
            .selector(REPORT, "report", "", outcome);
        let timer = cx.timer()?;
        let after: u64 = cx.config_or("after-ms", 0)?;
        if after > 0 {
            timer.set_timeout(after.millis())?;
        }
        Ok(Self {
            next: cx.config("next").map(|next| cx.client(next)).transpose()?,
            frames: cx.config_or("frames", 520)?,
            told: (0, Vec::new()),
            _timer: timer,
            _service: service.publish()?,
        })
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        let reply = self.descend(0);
        self.told = (reply.scalar(), reply.data().to_vec());
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        Ok(match request.selector {
            REPORT => Reply::new(self.told.0, self.told.1.clone()),
            _ => self.descend(request.scalars[0]),
        })
    }
}

impl Link {
    fn descend(&self, frames: u64) -> Reply {
        let depth = match frames {
            0 => self.frames,
            frames => frames,
        };
        let mut reply = Reply::from(());
        descend(depth, 1, 2, 3, &mut || reply = self.call(frames));
        reply
    }

    fn call(&self, frames: u64) -> Reply {
        let Some(next) = &self.next else {
            return Reply::new(1, "ok");
        };
        let ask = Ask {
            selector: CALL,
            scalars: [frames, 0, 0, 0],
            reply_max: 64,
            ..Ask::default()
        };
        match next.run_command(&ask, 1.secs()) {
            Ok(reply) => Reply::new(1 + reply.scalar(), reply.data()),
            Err(error) => Reply::new(1, error.code().name()),
        }
    }
}

/// Goes `frames` deep and calls `at_the_end` there. Ten values are alive across
/// each call, as parameters of their own: an array would lie in the guest's
/// memory instead of the host's stack.
#[inline(never)]
fn descend(frames: u64, p: u64, q: u64, r: u64, at_the_end: &mut dyn FnMut()) -> u64 {
    let sums = [p ^ q, q ^ r, r ^ p].map(|sum| sum.rotate_left(7));
    let products = [p, q, r].map(|factor| factor.wrapping_mul(frames | 1));
    let below = if frames == 0 {
        at_the_end();
        0
    } else {
        let deeper: Descend = black_box(descend);
        deeper(frames - 1, sums[0], products[1], sums[2], at_the_end)
    };
    let alive = sums.into_iter().chain(products).chain([p, q, r]);
    alive.fold(below, |sum, value| sum.rotate_left(1) ^ value)
}

type Descend = fn(u64, u64, u64, u64, &mut dyn FnMut()) -> u64;

driver!(Link);
