//! Logs, in every callback, whether it runs in the gate and on the loop's
//! thread: `CALLBACK | in-gate | on-thread`, as the table in `wit/README.md`
//! has them.

#![forbid(unsafe_code)]

use loopgate_guest::WorkLoop;
use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// Tells of itself; `scalars[0]` is whose request it is, an index of `FROM`.
const TELL: u32 = 1;
/// Sleeps for a millisecond, or with `scalars[0]` = 1 until its client gives up.
const SLEEP: u32 = 2;
/// Causes an interrupt, and a timeout that asks the drivers that config `near`
/// and `far` name to tell.
const CAUSE: u32 = 3;

const FROM: [&str; 3] = [
    "command, from a client",
    "command, from a handler on this loop",
    "command, from a handler on another loop",
];

struct Probe {
    /// The services to ask, with what one tells then.
    others: Vec<(String, u64)>,
    interrupt: Interrupt,
    timer: Timer,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        tell("start");
        let service = cx
            .service(service_name(cx, "context"))
            .concurrent()
            .selector(TELL, "tell", "whose request it is", "")
            .selector(SLEEP, "sleep", "1: without end", "")
            .selector(CAUSE, "cause", "", "");
        let others = [("near", 1), ("far", 2)].into_iter();
        Ok(Self {
            others: others
                .filter_map(|(key, from)| Some((cx.config(key)?.to_owned(), from)))
                .collect(),
            interrupt: cx.software_interrupt()?,
            timer: cx.timer()?,
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        tell("interrupt-occurred");
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        tell("timeout-occurred");
        for (service, from) in &self.others {
            let ask = Ask {
                selector: TELL,
                scalars: [*from, 0, 0, 0],
                data: &[],
                reply_max: 0,
            };
            Client::open(service)?.run_command(&ask, 100.millis())?;
        }
        Ok(())
    }

    fn cancelled(&mut self, _: RequestId) {
        tell("cancelled");
    }

    fn stop(&mut self) {
        tell("stop");
    }
}

impl AsyncDriver for Probe {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        let [scalar, ..] = request.scalars;
        match request.selector {
            TELL => {
                let from = usize::try_from(scalar).ok();
                tell(from.and_then(|from| FROM.get(from)).unwrap_or(&"command"));
            }
            SLEEP if scalar == 1 => this.sleep(1).await?,
            SLEEP => {
                let _ = this.sleep_until(1, now() + 1.millis()).await;
                tell("resume");
            }
            _ => this.with(|probe| {
                probe.interrupt.signal()?;
                probe.timer.set_timeout(1.millis())
            })?,
        }
        Ok(().into())
    }
}

fn tell(callback: &str) {
    let work_loop = WorkLoop::get();
    info!(
        "{callback} | {} | {}",
        work_loop.in_gate(),
        work_loop.on_thread()
    );
}

driver!(async Probe);
