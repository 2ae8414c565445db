//! The two services: `porch` answers at once, `porch-slow` later.

use crate::porch::{Light, Waiting};
use crate::{Defect, Porch};
use loopgate_guest::prelude::*;

/// Of `porch`.
const PRESSES: u32 = 1;
const EDGES: u32 = 2;
const HOLD: u32 = 3;
const LIGHT: u32 = 4;

/// Of `porch-slow`.
const NEXT: u32 = 1;
const STORED: u32 = 2;

/// The longest that the lamp can be on by a press, in milliseconds.
const HOLD_MAX: u64 = 3_600_000;

/// How long a press is waited for, in milliseconds: unless told, and at most.
const WAIT: u64 = 100;
const WAIT_MAX: u64 = 1_000;

/// What the disk calls its own `read`, and how much of it is read.
const DISK_READ: u32 = 1;
const PIECE: u32 = 8;

impl Porch {
    pub(crate) fn publish_quick(cx: &Context, defect: Defect) -> Result<Service> {
        let service = cx
            .service("porch")
            .concurrent()
            .input_max(16)
            .selector(PRESSES, "presses", "", "how often the button was pressed")
            .selector(EDGES, "edges", "", "how often its contact has changed")
            .selector(
                HOLD,
                "hold",
                "milliseconds",
                "how long the lamp was to be on until now",
            )
            .selector(LIGHT, "light", "0 by the button, 1 out, 2 on", "nothing");
        match service.publish() {
            Err(error) if defect == Defect::UnwrapsPublish => panic!("no service: {error}"),
            published => published,
        }
    }

    pub(crate) fn publish_slow(cx: &Context) -> Result<Service> {
        cx.service("porch-slow")
            .selector(
                NEXT,
                "next",
                "milliseconds at most",
                "presses after the next one; or a line",
            )
            .selector(STORED, "stored", "offset", "eight bytes of the disk")
            .publish()
    }

    /// See [`Driver::command`].
    pub fn command(&mut self, request: &Request) -> Result<Reply> {
        if request.gate() == self.quick {
            return self.at_once(request);
        }
        if self.spoilt.is_busy {
            return Err(ErrorCode::Busy.into());
        }
        self.spoil_request()?;
        let asked = match request.selector {
            NEXT => None,
            STORED => Some(self.read_disk(request.scalars[0])?),
            _ => return Err(ErrorCode::BadArgument.into()),
        };
        let (pending, reply) = request.defer();
        if self.has(Defect::AnswersBothWays) {
            pending.complete(Ok(().into()))?;
            return Ok(().into());
        }
        if asked.is_none() {
            let wait = match request.scalars[0] {
                0 => WAIT,
                wait => wait.min(WAIT_MAX),
            };
            if !(self.spoilt.is_armed && self.has(Defect::AnswersEarly)) {
                self.limit.set_timeout(wait.millis())?;
            }
            self.spoilt.is_armed = true;
        }
        self.waiting = Some(Waiting { pending, asked });
        self.spoilt.is_busy = self.has(Defect::BusyAfterCancel);
        Ok(reply)
    }

    fn at_once(&mut self, request: &Request) -> Result<Reply> {
        let value = request.scalars[0];
        match request.selector {
            PRESSES => {
                let presses = match self.defect {
                    Defect::OffByOne => self.presses.saturating_sub(1),
                    _ => self.presses,
                };
                Ok(Reply::new(presses, self.presses.to_string()))
            }
            EDGES => Ok(self.counted.into()),
            HOLD => self.set_hold(value, &request.data),
            LIGHT => self.set_light(value),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }

    fn set_hold(&mut self, millis: u64, data: &[u8]) -> Result<Reply> {
        match self.defect {
            Defect::IndexesData => self.spoilt.is_for_it = data[0] == b'!',
            Defect::Overflows => drop(format!("{:?}", Duration::from_secs(millis) * 60)),
            Defect::AllocatesWhatIsSaid => self.spoilt.kept.reserve_exact(millis as usize),
            _ => {}
        }
        let before = self.hold.as_millis() as u64;
        if millis > HOLD_MAX {
            return Err(ErrorCode::BadArgument.into());
        }
        self.hold = millis.millis();
        Ok(before.into())
    }

    fn set_light(&mut self, value: u64) -> Result<Reply> {
        self.light = match value {
            0 => Light::Button,
            1 | 2 => Light::Always(value == 2),
            _ => return Err(ErrorCode::BadArgument.into()),
        };
        if !self.has(Defect::ForgetsTheTimer) {
            self.out.cancel_timeout();
        }
        self.shine(self.light == Light::Always(true))?;
        Ok(().into())
    }

    fn read_disk(&mut self, offset: u64) -> Result<RequestId> {
        let ask = Ask {
            selector: DISK_READ,
            scalars: [offset, PIECE.into(), 0, 0],
            reply_max: PIECE,
            ..Ask::default()
        };
        if self.disk.is_none() {
            self.disk = Some(Client::open("ram-block")?);
        }
        let disk = self.disk.as_ref().ok_or(ErrorCode::NoDevice)?;
        disk.submit_with_context(&ask, Some(now() + 1.secs()), 0)
    }

    /// Answers who waits for the next press or line.
    pub(crate) fn tell(&mut self, scalar: u64, data: &[u8]) -> Result<()> {
        match self.waiting.take_if(|waiting| waiting.asked.is_none()) {
            Some(waiting) => {
                self.limit.cancel_timeout();
                self.spoilt.is_armed = false;
                self.answer(waiting.pending, Ok(Reply::new(scalar, data)))
            }
            None => Ok(()),
        }
    }

    fn answer(&mut self, pending: Pending, outcome: Result<Reply>) -> Result<()> {
        self.spoilt.is_busy = false;
        let id = pending.id();
        let answered = pending.complete(outcome.clone());
        if self.has(Defect::AnswersTwice) {
            loopgate_guest::complete(id, outcome)?;
        }
        answered
    }

    /// Nothing came within the time of who waits.
    pub(crate) fn over(&mut self) -> Result<()> {
        self.spoilt.is_armed = false;
        if self.has(Defect::StaleTimer) {
            assert!(self.waiting.is_some(), "nobody waits");
        }
        if let Some(id) = self.spoilt.late.take() {
            return loopgate_guest::complete(id, Ok(().into()));
        }
        self.spoilt.is_for_it = false;
        match self.waiting.take_if(|waiting| waiting.asked.is_none()) {
            Some(waiting) => self.answer(waiting.pending, Ok(Reply::from("nothing"))),
            None => Ok(()),
        }
    }

    /// See [`Driver::cancelled`].
    pub fn cancelled(&mut self, id: RequestId) {
        if self.has(Defect::PanicsInCancelled) {
            assert!(
                self.waiting.as_ref().unwrap().asked.is_none(),
                "the disk is busy"
            );
        }
        self.spoilt.is_for_it = false;
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.pending.id() == id) else {
            return;
        };
        if let (Some(asked), Some(disk)) = (waiting.asked, &self.disk) {
            let _ = disk.cancel(asked);
            return;
        }
        match self.defect {
            Defect::StaleTimer | Defect::AnswersEarly => {}
            Defect::AnswersLate => self.spoilt.late = Some(id),
            _ => self.limit.cancel_timeout(),
        }
    }

    /// See [`Driver::completed`].
    pub fn completed(&mut self, id: RequestId, outcome: Result<Reply>) -> Result<()> {
        if self.has(Defect::UnwrapsCompleted) {
            outcome.as_ref().unwrap();
        }
        match self.waiting.take_if(|waiting| waiting.asked == Some(id)) {
            Some(waiting) => self.answer(waiting.pending, outcome),
            None => Ok(()),
        }
    }

    /// See [`Driver::structural`].
    pub fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        let goes = event == StructuralEvent::ProviderTerminated && service == "ram-block";
        if goes && !self.has(Defect::KeepsADeadClient) {
            if self.has(Defect::PanicsInStructural) {
                assert!(self.waiting.is_none(), "the disk is in use");
            }
            // Closed, it ends what waits for it.
            self.disk = None;
        }
        Readiness::Ready
    }
}
