//! A rotary encoder. See README.md.

#![forbid(unsafe_code)]

mod gray;

use gray::{Decoder, Edge, Pin};
use loopgate_guest::prelude::*;

/// The service's selectors.
const COUNT: u32 = 1;
const ERRORS: u32 = 2;

/// Of the state that the next version of this driver goes on with.
const VERSION: u32 = 1;

struct Quadrature {
    a: Interrupt,
    b: Interrupt,
    merge: Interrupt,
    /// Taken, and not decoded yet.
    edges: Vec<Edge>,
    /// The time of the newest edge at the last merge.
    settled: u64,
    decoder: Decoder,
    lost: u64,
    _pins: [InputPin; 2],
    _service: Service,
}

impl Driver for Quadrature {
    fn start(cx: &Context) -> Result<Self> {
        let (a, b) = (cx.input("a")?, cx.input("b")?);
        let service = cx
            .service("quadrature")
            .selector(COUNT, "count", "", "steps, forwards less back, as text")
            .selector(ERRORS, "errors", "", "steps that cannot be, and lost edges");
        Ok(Self {
            // Sources are served in this order: `merge` behind the pins.
            a: cx.interrupt(&a.edges(Edges::Both)?)?,
            b: cx.interrupt(&b.edges(Edges::Both)?)?,
            merge: cx.software_interrupt()?,
            edges: Vec::new(),
            settled: 0,
            decoder: Decoder::new(a.is_high()?, b.is_high()?),
            lost: 0,
            _pins: [a, b],
            _service: service.publish()?,
        })
    }

    fn save(&self) -> Result<Saved> {
        let state = (&self.decoder, &self.edges, self.settled, self.lost);
        Saved::new(VERSION, &state)
    }

    fn restore(&mut self, saved: &Saved) -> Result<()> {
        (self.decoder, self.edges, self.settled, self.lost) = saved.get(VERSION)?;
        Ok(())
    }

    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        if source == self.merge {
            return self.decode_settled();
        }
        let (pin, interrupt) = if source == self.a {
            (Pin::A, &self.a)
        } else {
            (Pin::B, &self.b)
        };
        self.lost += u64::from(event.lost);
        let taken = interrupt.take_occurrences(event.count).into_iter();
        self.edges.extend(taken.map(|edge| Edge {
            at: edge.timestamp.as_nanos(),
            pin,
            high: edge.high,
        }));
        self.merge.signal()
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let count = self.decoder.count();
        let errors = self.decoder.errors() + self.lost;
        match request.selector {
            COUNT => Ok(Reply::new(count.cast_unsigned(), count.to_string())),
            ERRORS => Ok(Reply::new(errors, errors.to_string())),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

impl Quadrature {
    /// What was there at the last merge. Both pins were asked since then, and
    /// their edges are queued in the order of time: none can come before those.
    fn decode_settled(&mut self) -> Result<()> {
        self.edges.sort_by_key(|edge| edge.at);
        let settled = self.edges.partition_point(|edge| edge.at <= self.settled);
        self.decoder.decode(&self.edges[..settled]);
        self.edges.drain(..settled);
        match self.edges.last() {
            Some(newest) => {
                self.settled = newest.at;
                self.merge.signal()
            }
            None => Ok(()),
        }
    }
}

driver!(Quadrature);
