//! One link of a chain of drivers: recurses close to its stack limit, and from
//! down there calls the service that config `next` names; the last has none.
//!
//! Service: config `service` (`chain` unless told). `scalars[0]`: how many
//! frames deep, for every link; 0 is config `frames` (300 unless told), at some
//! 200 to 300 bytes of the host's stack each.
//!
//! The reply's scalar is the number of links that were reached, its text how it
//! ended: `ok`, or the code that a link got from the next.

#![forbid(unsafe_code)]

use std::hint::black_box;

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

struct Link {
    next: Option<Client>,
    frames: u64,
    _service: Service,
}

impl Driver for Link {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx.service(service_name(cx, "chain")).selector(
            1,
            "call",
            "frames",
            "links reached; how it ended",
        );
        Ok(Self {
            next: cx.config("next").map(|next| cx.client(next)).transpose()?,
            frames: cx.config_or("frames", 300)?,
            _service: service.publish()?,
        })
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let frames = match request.scalars[0] {
            0 => self.frames,
            frames => frames,
        };
        let mut reply = Reply::from(());
        descend(frames, [frames; 16], &mut || {
            reply = self.call(request.scalars[0]);
        });
        Ok(reply)
    }
}

impl Link {
    fn call(&self, frames: u64) -> Reply {
        let Some(next) = &self.next else {
            return Reply::new(1, "ok");
        };
        let ask = Ask {
            selector: 1,
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

/// Goes `frames` deep, with sixteen values alive in each frame so that it has a
/// size, and calls `at_the_end` there.
#[inline(never)]
fn descend(frames: u64, alive: [u64; 16], at_the_end: &mut dyn FnMut()) -> u64 {
    let alive = alive.map(black_box);
    if frames == 0 {
        at_the_end();
    } else {
        black_box(descend as Descend)(frames - 1, alive, at_the_end);
    }
    alive.into_iter().map(black_box).sum()
}

type Descend = fn(u64, [u64; 16], &mut dyn FnMut()) -> u64;

driver!(Link);
