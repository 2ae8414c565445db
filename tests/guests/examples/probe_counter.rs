//! The well-behaved neighbour: counts the edges of its input `in` and its
//! timer's ticks, so that a test sees whether it missed any and, where its
//! configuration says `worst = "yes"`, how late it was.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const EDGES: u32 = 1;
const LOST: u32 = 2;
const TICKS: u32 = 3;
const CALLS: u32 = 4;
const WORST: u32 = 5;

struct Counter {
    tick: Timer,
    period: Duration,
    edges: u64,
    lost: u64,
    ticks: u64,
    calls: u64,
    /// Looking at each edge's own time allocates, so only where asked for.
    worst: Option<Duration>,
    source: Interrupt,
    _pin: InputPin,
    _service: Service,
}

impl Driver for Counter {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "counter"))
            .selector(EDGES, "edges", "", "edges of `in` delivered")
            .selector(LOST, "lost", "", "edges of `in` reported as lost")
            .selector(TICKS, "ticks", "", "timer expiries")
            .selector(CALLS, "calls", "", "calls of the interrupt handler")
            .selector(
                WORST,
                "worst",
                "",
                "ns from an edge to its handler, at most",
            );
        let pin = cx.input("in")?;
        let counter = Self {
            tick: cx.timer()?,
            period: cx.config_or("period-ms", 10)?.millis(),
            edges: 0,
            lost: 0,
            ticks: 0,
            calls: 0,
            worst: cx.config("worst").map(|_| Duration::ZERO),
            source: cx.interrupt(&pin.edges(Edges::Both)?)?,
            _pin: pin,
            _service: service.publish()?,
        };
        counter.tick.set_timeout(counter.period)?;
        Ok(counter)
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.edges += u64::from(event.count);
        self.lost += u64::from(event.lost);
        self.calls += 1;
        if let Some(worst) = &mut self.worst
            && let [oldest] = self.source.take_occurrences(1)[..]
        {
            *worst = (now() - oldest.timestamp).max(*worst);
        }
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, expiry: Timeout) -> Result<()> {
        self.ticks += 1;
        self.tick.wake_at(expiry.deadline + self.period)
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let count = match request.selector {
            EDGES => self.edges,
            LOST => self.lost,
            TICKS => self.ticks,
            CALLS => self.calls,
            WORST => self.worst.unwrap_or_default().as_nanos() as u64,
            _ => return Err(ErrorCode::BadArgument.into()),
        };
        Ok(Reply::new(count, count.to_string()))
    }
}

driver!(Counter);
