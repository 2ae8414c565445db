//! A Modbus RTU master. See README.md.

#![forbid(unsafe_code)]

mod transaction;

use std::collections::VecDeque;

use loopgate_guest::prelude::*;
use transaction::{COUNT_MAX, Transaction};

const READ: u32 = 1;
const WRITE: u32 = 2;

/// Writes that wait for their turn.
const QUEUED_MAX: usize = 16;
/// Bytes that are searched for an answer: several of the longest.
const HEARD_MAX: usize = 1024;

/// What the bus is asked, and for whom; `None` is the driver's own poll.
struct Job {
    transaction: Transaction,
    client: Option<Pending>,
    attempts: u32,
}

struct Modbus {
    port: Port,
    /// While a job runs its time-out, otherwise when the next one begins.
    timer: Timer,
    config: Config,
    current: Option<Job>,
    writes: VecDeque<Job>,
    heard: Vec<u8>,
    next_poll: Instant,
    /// What the latest poll gave.
    registers: Result<Vec<u16>>,
    _readable: Interrupt,
    _service: Service,
}

struct Config {
    unit: u8,
    first: u16,
    count: u16,
    period: Duration,
    timeout: Duration,
    retries: u32,
    /// Silence between frames.
    gap: Duration,
}

impl Driver for Modbus {
    fn start(cx: &Context) -> Result<Self> {
        let port = cx.port("port", cx.config_or("baud", 0)?)?;
        let service = cx
            .service("modbus")
            // A client that waits for its write keeps nobody from reading.
            .concurrent()
            .selector(READ, "read", "register", "its value at the latest poll")
            .selector(WRITE, "write", "register, value", "");
        let timer = cx.timer()?;
        timer.set_timeout(Duration::ZERO)?;
        Ok(Self {
            timer,
            config: Config::new(cx)?,
            current: None,
            writes: VecDeque::new(),
            heard: Vec::new(),
            next_poll: now(),
            registers: Err(Error::new(ErrorCode::NotReady, "not polled yet")),
            _readable: cx.interrupt(&port.readable()?)?,
            _service: service.publish()?,
            port,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        let mut bytes = self.port.receive(HEARD_MAX as u32)?;
        self.heard.append(&mut bytes);
        let over = self.heard.len().saturating_sub(HEARD_MAX);
        self.heard.drain(..over);
        let unit = self.config.unit;
        match &self.current {
            Some(job) => match job.transaction.answer(unit, &self.heard) {
                Some(answer) => self.finish(answer.map_err(refused)),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        match &mut self.current {
            None => self.begin(),
            Some(job) if job.attempts > self.config.retries => self.finish(Err(Error::new(
                ErrorCode::TimedOut,
                "the slave does not answer",
            ))),
            Some(_) => self.send(),
        }
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let number = |scalar: usize| {
            u16::try_from(request.scalars[scalar]).map_err(|_| ErrorCode::BadArgument)
        };
        let register = number(0)?;
        match request.selector {
            READ => self.read(register),
            _ => self.write(&request, register, number(1)?),
        }
    }

    fn cancelled(&mut self, id: RequestId) {
        let of_client = |job: &Job| job.client.as_ref().is_some_and(|client| client.id() == id);
        self.writes.retain(|job| !of_client(job));
        // What was sent cannot be taken back: it ends with nobody to tell.
        if let Some(job) = self.current.as_mut().filter(|job| of_client(job)) {
            job.client = None;
        }
    }
}

impl Modbus {
    fn read(&self, register: u16) -> Result<Reply> {
        let registers = self.registers.as_ref().map_err(Clone::clone)?;
        let index = register
            .checked_sub(self.config.first)
            .ok_or(ErrorCode::BadArgument)?;
        let value = registers
            .get(usize::from(index))
            .ok_or(ErrorCode::BadArgument)?;
        Ok(Reply::new(u64::from(*value), value.to_string()))
    }

    fn write(&mut self, request: &Request, register: u16, value: u16) -> Result<Reply> {
        if self.writes.len() == QUEUED_MAX {
            return Err(ErrorCode::NoResources.into());
        }
        let (client, reply) = request.defer();
        self.writes.push_back(Job {
            transaction: Transaction::Write { register, value },
            client: Some(client),
            attempts: 0,
        });
        if self.current.is_none() {
            self.timer.set_timeout(self.config.gap)?;
        }
        Ok(reply)
    }

    /// Takes the next write, or polls if it is time.
    fn begin(&mut self) -> Result<()> {
        self.current = self.writes.pop_front();
        if self.current.is_none() {
            if now() < self.next_poll {
                return self.timer.wake_at(self.next_poll);
            }
            self.next_poll = now() + self.config.period;
            let (first, count) = (self.config.first, self.config.count);
            self.current = Some(Job {
                transaction: Transaction::Read { first, count },
                client: None,
                attempts: 0,
            });
        }
        self.send()
    }

    /// Asks, for the first time or again.
    fn send(&mut self) -> Result<()> {
        let Some(job) = &mut self.current else {
            return Ok(());
        };
        job.attempts += 1;
        // First: whatever fails below is tried again after the time-out.
        self.timer.set_timeout(self.config.timeout)?;
        // What has come by now answers an older question.
        self.heard.clear();
        self.port.receive(u32::MAX)?;
        // A frame that does not fit is cut off, and the slave drops it.
        let frame = job.transaction.request(self.config.unit).map_err(refused)?;
        self.port.send(&frame)?;
        Ok(())
    }

    fn finish(&mut self, answer: Result<Vec<u16>>) -> Result<()> {
        self.timer.set_timeout(self.config.gap)?;
        let Some(job) = self.current.take() else {
            return Ok(());
        };
        match (job.transaction, &answer) {
            (Transaction::Read { .. }, _) => {
                if let (Ok(_), Err(error)) = (&self.registers, &answer) {
                    warn!("polling fails: {error}");
                }
                self.registers.clone_from(&answer);
            }
            (Transaction::Write { register, value }, Ok(_)) => self.note(register, value),
            (Transaction::Write { .. }, Err(_)) => {}
        }
        match job.client {
            Some(client) => client.complete(answer.map(|_| ().into())),
            None => Ok(()),
        }
    }

    /// A value that was written is read from now on, before the next poll.
    fn note(&mut self, register: u16, value: u16) {
        let index = register.wrapping_sub(self.config.first);
        if let Ok(registers) = &mut self.registers
            && let Some(known) = registers.get_mut(usize::from(index))
        {
            *known = value;
        }
    }
}

impl Config {
    fn new(cx: &Context) -> Result<Self> {
        let count = cx.config_or("count", 8)?;
        if !(1..=COUNT_MAX).contains(&count) {
            let what =
                format!("config `count` is `{count}`, one answer has 1 to {COUNT_MAX} registers");
            return Err(Error::new(ErrorCode::BadArgument, what));
        }
        Ok(Self {
            unit: cx.config_or("unit", 1)?,
            first: cx.config_or("first", 0)?,
            count,
            period: cx.config_or("period-ms", 1000)?.millis(),
            timeout: cx.config_or("timeout-ms", 300)?.millis(),
            retries: cx.config_or("retries", 2)?,
            gap: cx.config_or("gap-ms", 5)?.millis(),
        })
    }
}

fn refused(reason: rmodbus::ErrorKind) -> Error {
    Error::new(ErrorCode::Io, format!("the slave refuses: {reason}"))
}

driver!(Modbus);
