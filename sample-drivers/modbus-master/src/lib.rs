//! A Modbus RTU master. See README.md.

#![forbid(unsafe_code)]

mod question;

use std::collections::VecDeque;

use loopgate_guest::prelude::*;
use question::{COUNT_MAX, Question};

const READ: u32 = 1;
const WRITE: u32 = 2;

/// Writes that wait for their turn.
const QUEUED_MAX: usize = 16;
/// Bytes that are searched for an answer: several of the longest.
const HEARD_MAX: usize = 1024;
/// Attempts for each question.
const ATTEMPTS: u32 = 3;
/// Silence between frames: 3.5 characters or more, from 9600 baud on.
const GAP: Duration = Duration::from_millis(5);

struct Modbus {
    port: Port,
    /// While a question is open its time-out, otherwise when the next is due.
    timer: Timer,
    unit: u8,
    first: u16,
    count: u16,
    period: Duration,
    timeout: Duration,
    open: Option<Open>,
    writes: VecDeque<Write>,
    heard: Vec<u8>,
    next_poll: Instant,
    /// What the latest poll gave.
    registers: Result<Vec<u16>>,
    _readable: Interrupt,
    _service: Service,
}

struct Open {
    question: Question,
    attempts: u32,
    /// `None` for a poll.
    write: Option<Write>,
}

struct Write {
    register: u16,
    value: u16,
    /// `None` once the client has given up.
    client: Option<Pending>,
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
        timer.set_timeout(GAP)?;
        Ok(Self {
            timer,
            unit: cx.config_or("unit", 1)?,
            first: cx.config_or("first", 0)?,
            count: cx.config_or("count", 8_u16)?.clamp(1, COUNT_MAX),
            period: cx.config_or("period-ms", 1000)?.millis(),
            timeout: cx.config_or("timeout-ms", 300)?.millis(),
            open: None,
            writes: VecDeque::new(),
            heard: Vec::new(),
            next_poll: now(),
            registers: Err(ErrorCode::NotReady.into()),
            _readable: cx.interrupt(&port.readable()?)?,
            _service: service.publish()?,
            port,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        self.heard.extend(self.port.receive(HEARD_MAX as u32)?);
        let over = self.heard.len().saturating_sub(HEARD_MAX);
        self.heard.drain(..over);
        let open = self.open.as_ref();
        match open.and_then(|open| open.question.answer(&self.heard)) {
            Some(answer) => self.finish(answer.map_err(refused)),
            None => Ok(()),
        }
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        match &self.open {
            None => self.begin(),
            Some(open) if open.attempts < ATTEMPTS => self.ask(),
            Some(_) => self.finish(Err(ErrorCode::TimedOut.into())),
        }
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let [register, value, ..] = request.scalars.map(u16::try_from);
        let register = register.map_err(|_| ErrorCode::BadArgument)?;
        if request.selector == READ {
            return self.read(register);
        }
        let value = value.map_err(|_| ErrorCode::BadArgument)?;
        if self.writes.len() == QUEUED_MAX {
            return Err(ErrorCode::NoResources.into());
        }
        let (client, reply) = request.defer();
        let client = Some(client);
        self.writes.push_back(Write {
            register,
            value,
            client,
        });
        if self.open.is_none() {
            self.timer.set_timeout(GAP)?;
        }
        Ok(reply)
    }

    fn cancelled(&mut self, id: RequestId) {
        // One that was asked already cannot be taken back: it has nobody to tell.
        let asked = self.open.iter_mut().filter_map(|open| open.write.as_mut());
        for write in self.writes.iter_mut().chain(asked) {
            write.client.take_if(|client| client.id() == id);
        }
        self.writes.retain(|write| write.client.is_some());
    }
}

impl Modbus {
    fn read(&self, register: u16) -> Result<Reply> {
        let index = register.wrapping_sub(self.first);
        if index >= self.count {
            return Err(ErrorCode::BadArgument.into());
        }
        let registers = self.registers.as_ref().map_err(Clone::clone)?;
        let value = registers[usize::from(index)];
        Ok(Reply::new(value.into(), value.to_string()))
    }

    /// Opens the next question: a write, or a poll if it is time.
    fn begin(&mut self) -> Result<()> {
        let write = self.writes.pop_front();
        let question = match &write {
            Some(write) => Question::write(self.unit, write.register, write.value),
            None if now() < self.next_poll => return self.timer.wake_at(self.next_poll),
            None => {
                self.next_poll = now() + self.period;
                Question::read(self.unit, self.first, self.count)
            }
        };
        self.open = Some(Open {
            question: question.map_err(refused)?,
            attempts: 0,
            write,
        });
        self.ask()
    }

    fn ask(&mut self) -> Result<()> {
        // First: whatever fails below is tried again after the time-out.
        self.timer.set_timeout(self.timeout)?;
        // What has come by now answers an older question.
        self.heard.clear();
        self.port.receive(u32::MAX)?;
        if let Some(open) = &mut self.open {
            open.attempts += 1;
            // Where it does not fit, the slave drops the half frame.
            self.port.send(&open.question.frame)?;
        }
        Ok(())
    }

    fn finish(&mut self, answer: Result<Vec<u16>>) -> Result<()> {
        self.timer.set_timeout(GAP)?;
        let Some(write) = self.open.take().map(|open| open.write) else {
            return Ok(());
        };
        let Some(write) = write else {
            self.registers = answer;
            return Ok(());
        };
        // Read from now on, before the next poll.
        if let (Ok(_), Ok(registers)) = (&answer, &mut self.registers)
            && let index = write.register.wrapping_sub(self.first)
            && let Some(known) = registers.get_mut(usize::from(index))
        {
            *known = write.value;
        }
        match write.client {
            Some(client) => client.complete(answer.map(|_| ().into())),
            None => Ok(()),
        }
    }
}

fn refused(reason: rmodbus::ErrorKind) -> Error {
    Error::new(ErrorCode::Io, format!("the slave refuses: {reason}"))
}

driver!(Modbus);
