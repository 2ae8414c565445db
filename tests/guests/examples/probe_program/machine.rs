//! What a program works on: everything that was ever opened, and the requests.

use crate::program::Program;
use loopgate_guest::__private::bindings::loopgate::driver::gpio::{Direction, Edge, Pin};
use loopgate_guest::__private::bindings::loopgate::driver::interrupt::Line;
use loopgate_guest::__private::bindings::loopgate::driver::request::{
    self, Arguments, Client, Queueing, Reply, Selector,
};
use loopgate_guest::__private::bindings::loopgate::driver::serial::Port;
use loopgate_guest::__private::bindings::loopgate::driver::types::ErrorCode;
use loopgate_guest::__private::bindings::loopgate::driver::work_loop::{
    self, CommandGate, EventSource, InterruptEventSource, TimerEventSource, WorkLoop,
};
use loopgate_guest::__private::bindings::loopgate::driver::{log, power, published_pins};

/// Steps of an instance.
const STEPS: u32 = 2_000;
/// One more than the payload that a board grants it.
const LENGTH_MAX: u64 = (64 << 10) + 1;

/// What a step came to.
type Told = Result<u64, ErrorCode>;

/// How a program ended.
pub(crate) enum End {
    Done(u64),
    Pending,
    Failed(ErrorCode),
}

impl End {
    pub(crate) fn value(self) -> Told {
        match self {
            Self::Done(value) => Ok(value),
            Self::Pending => Err(ErrorCode::Unsupported),
            Self::Failed(code) => Err(code),
        }
    }
}

pub(crate) struct Machine {
    steps: u32,
    programs: [Vec<u8>; 16],
    pins: Vec<Pin>,
    lines: Vec<Line>,
    ports: Vec<Port>,
    interrupts: Vec<InterruptEventSource>,
    timers: Vec<TimerEventSource>,
    gates: Vec<CommandGate>,
    clients: Vec<Client>,
    work_loop: Option<WorkLoop>,
    /// That others asked.
    pub(crate) requests: Vec<u64>,
    /// That it asked.
    submissions: Vec<u64>,
    last: Told,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            steps: STEPS,
            programs: Default::default(),
            pins: Vec::new(),
            lines: Vec::new(),
            ports: Vec::new(),
            interrupts: Vec::new(),
            timers: Vec::new(),
            gates: Vec::new(),
            clients: Vec::new(),
            work_loop: None,
            requests: Vec::new(),
            submissions: Vec::new(),
            last: Ok(0),
        }
    }
}

impl Machine {
    pub(crate) fn publish(&mut self, service: &str, numbers: &[u32]) -> Result<(), ErrorCode> {
        let gate = CommandGate::create(0)?;
        self.work_loop()
            .add_event_source(&EventSource::CommandGate(&gate))?;
        self.gates.push(gate);
        let selectors: Vec<_> = numbers.iter().copied().map(selector).collect();
        let input_max = 4096;
        request::publish(service, 0, Queueing::Concurrent, input_max, &selectors)
    }

    pub(crate) fn store(&mut self, slot: u64, program: Vec<u8>) {
        let slots = self.programs.len() as u64;
        self.programs[(slot % slots) as usize] = program;
    }

    pub(crate) fn handle(&mut self, slot: usize) -> End {
        let program = std::mem::take(&mut self.programs[slot]);
        let end = self.run(&program);
        self.programs[slot] = program;
        end
    }

    pub(crate) fn run(&mut self, program: &[u8]) -> End {
        let mut program = Program::new(program);
        self.last = Ok(0);
        while !program.is_over() && self.steps > 0 {
            self.steps -= 1;
            let step = program.byte();
            if step & 0x3f == 0x3f {
                return self.end(step);
            }
            self.last = self.step(step & 0x1f, &mut program);
        }
        End::Done(0)
    }

    fn end(&self, how: u8) -> End {
        match (how >> 6, self.last) {
            (0, _) => End::Pending,
            (1, Ok(value)) => End::Done(value),
            (1 | 2, Err(code)) => End::Failed(code),
            (2, Ok(_)) => End::Failed(ErrorCode::Busy),
            _ => panic!("as the program says"),
        }
    }

    fn work_loop(&mut self) -> &WorkLoop {
        self.work_loop.get_or_insert_with(WorkLoop::get)
    }

    fn step(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        match step {
            0..=4 => self.with_pins(step, program),
            5..=8 => self.with_ports(step, program),
            9..=12 => self.with_interrupts(step, program),
            13..=14 => self.with_timers(step, program),
            15..=16 => self.with_gates(step, program),
            17..=19 => self.with_sources(step, program),
            20..=23 => self.with_clients(step, program),
            24..=25 => self.with_requests(step, program),
            26 => self.forget(program),
            27 => {
                self.forge(program);
                Ok(0)
            }
            _ => other(step, program),
        }
    }

    fn with_pins(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 0 {
            let name = program.name();
            let direction = match program.byte() % 3 {
                0 => Direction::Input,
                level => Direction::Output(level == 1),
            };
            self.pins.push(Pin::open(name, direction)?);
            return Ok(0);
        }
        if step == 4 {
            let names = [
                program.name().to_owned(),
                program.name().to_owned(),
                program.text(),
            ];
            let count = 1 + usize::from(program.byte() % 3);
            published_pins::publish_pins(program.name(), &names[..count])?;
            return Ok(0);
        }
        let pin = one(&self.pins, program)?;
        match step {
            1 => pin.is_high().map(u64::from),
            2 => pin.set(program.flag()).map(|()| 0),
            _ => {
                self.lines.push(pin.interrupt(edge(program.byte()))?);
                Ok(0)
            }
        }
    }

    fn with_ports(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 5 {
            self.ports.push(Port::open(program.name(), program.word())?);
            return Ok(0);
        }
        let port = one(&self.ports, program)?;
        match step {
            6 => port.read(program.word()).map(|bytes| bytes.len() as u64),
            7 => port.write(program.text().as_bytes()).map(u64::from),
            _ => {
                let line = match program.byte() & 7 {
                    4 => return port.take_line_errors().map(|errors| errors.lost.into()),
                    5 => return port.send_break(program.number()).map(|()| 0),
                    6 => return port.modem_lines().map(|lines| lines.cts.into()),
                    7 => {
                        return port
                            .set_dtr(true)
                            .and_then(|()| port.set_rts(false))
                            .map(|()| 0);
                    }
                    readable if readable & 1 == 1 => port.readable()?,
                    _ => port.writable()?,
                };
                self.lines.push(line);
                Ok(0)
            }
        }
    }

    fn with_interrupts(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 9 {
            let how = program.byte();
            let line = one(&self.lines, program);
            let token = program.word();
            self.interrupts.push(match how % 3 {
                0 => InterruptEventSource::create(None, token)?,
                1 => InterruptEventSource::create(Some(line?), token)?,
                _ => InterruptEventSource::create_filtered(line?, token)?,
            });
            return Ok(0);
        }
        let source = one(&self.interrupts, program)?;
        match (step, program.byte() % 4) {
            (10, _) => source.set_filter_word(program.number()),
            (11, 0) => source.interrupt_occurred()?,
            (11, 1) => return Ok(u64::from(source.is_filtered())),
            (11, _) => return Ok(source.take_occurrences(program.word()).len() as u64),
            (_, 0) => source.disable(),
            (_, 1) => return Ok(u64::from(source.is_enabled())),
            (_, _) => source.enable(),
        }
        Ok(0)
    }

    fn with_timers(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 13 {
            self.timers.push(TimerEventSource::create(program.word())?);
            return Ok(0);
        }
        let timer = one(&self.timers, program)?;
        match program.byte() % 6 {
            0 => timer.set_timeout(program.number())?,
            1 => timer.wake_at(program.number())?,
            2 => timer.cancel_timeout(),
            3 => timer.disable(),
            4 => timer.enable(),
            _ => return Ok(u64::from(timer.is_enabled())),
        }
        Ok(0)
    }

    fn with_gates(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 15 {
            self.gates.push(CommandGate::create(program.word())?);
            return Ok(0);
        }
        let gate = one(&self.gates, program)?;
        match program.byte() % 4 {
            0 => gate.command_wakeup(program.number(), program.flag()),
            1 => gate.disable(),
            2 => gate.enable(),
            _ => return Ok(u64::from(gate.is_enabled())),
        }
        Ok(0)
    }

    fn with_sources(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 19 {
            let name = program.name();
            let queueing = if program.flag() {
                Queueing::Serial
            } else {
                Queueing::Concurrent
            };
            let selectors = [selector(program.word()), selector(program.word())];
            let gate = program.word();
            request::publish(name, gate, queueing, program.word(), &selectors)?;
            return Ok(0);
        }
        let on = self.work_loop.take().unwrap_or_else(WorkLoop::get);
        let source = match program.byte() % 3 {
            0 => one(&self.interrupts, program).map(EventSource::Interrupt),
            1 => one(&self.timers, program).map(EventSource::Timer),
            _ => one(&self.gates, program).map(EventSource::CommandGate),
        };
        let told = source.and_then(|source| match step {
            17 => on.add_event_source(&source),
            _ => on.remove_event_source(&source),
        });
        let told = told.map(|()| u64::from(on.in_gate()) + u64::from(on.on_thread()));
        self.work_loop = Some(on);
        told
    }

    fn with_clients(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        if step == 20 {
            self.clients.push(Client::open(program.name())?);
            return Ok(0);
        }
        let client = one(&self.clients, program)?;
        if step == 23 {
            let id = one(&self.submissions, program).copied();
            client.cancel(id.unwrap_or_else(|_| program.number()))?;
            return Ok(0);
        }
        let arguments = Arguments {
            selector: program.word() % 5,
            scalars: (program.number(), 0, 0, u64::MAX),
            data: vec![program.byte(); length(program.number())],
        };
        let reply_max = program.word();
        if step == 22 {
            let id = client.submit(&arguments, reply_max, program.number(), program.word())?;
            self.submissions.push(id);
            return Ok(id);
        }
        let reply = match program.byte() % 3 {
            0 => client.run_command(&arguments, reply_max, program.number()),
            1 => client.attempt_command(&arguments, reply_max),
            _ => client.immediate_command(&arguments, reply_max, program.number()),
        };
        reply.map(|reply| reply.scalar)
    }

    fn with_requests(&mut self, step: u8, program: &mut Program<'_>) -> Told {
        let id = one(&self.requests, program).copied();
        let id = id.unwrap_or_else(|_| program.number());
        if step == 24 {
            let reply = reply(program.number());
            let outcome = if program.flag() {
                Ok(&reply)
            } else {
                Err(&ErrorCode::Io)
            };
            request::io_command_is_complete(id, outcome)?;
        } else {
            request::command_sleep(id, program.number(), program.number())?;
        }
        Ok(id)
    }

    /// Drops a handle.
    fn forget(&mut self, program: &mut Program<'_>) -> Told {
        match program.byte() % 8 {
            0 => take(&mut self.pins, program).map(drop),
            1 => take(&mut self.lines, program).map(drop),
            2 => take(&mut self.ports, program).map(drop),
            3 => take(&mut self.interrupts, program).map(drop),
            4 => take(&mut self.timers, program).map(drop),
            5 => take(&mut self.gates, program).map(drop),
            6 => take(&mut self.clients, program).map(drop),
            _ => {
                self.work_loop = None;
                Ok(())
            }
        }
        .map(|()| 0)
    }

    /// Makes a handle of a number: of something else, of nothing, or once more.
    fn forge(&mut self, program: &mut Program<'_>) {
        let handle = program.word();
        // SAFETY: a number that crosses the boundary; the host must cope.
        unsafe {
            match program.byte() % 7 {
                0 => self.pins.push(Pin::from_handle(handle)),
                1 => self.lines.push(Line::from_handle(handle)),
                2 => self.ports.push(Port::from_handle(handle)),
                3 => self
                    .interrupts
                    .push(InterruptEventSource::from_handle(handle)),
                4 => self.timers.push(TimerEventSource::from_handle(handle)),
                5 => self.gates.push(CommandGate::from_handle(handle)),
                _ => self.clients.push(Client::from_handle(handle)),
            }
        }
    }
}

/// What needs no handle.
fn other(step: u8, program: &mut Program<'_>) -> Told {
    match (step, program.byte() % 4) {
        (28, 0) => power::acknowledge_set_power_state(),
        (28, 1) => return Ok(work_loop::now()),
        (28, _) => work_loop::delay(program.number())?,
        (29, level) => {
            let level = [
                log::Level::Trace,
                log::Level::Info,
                log::Level::Warn,
                log::Level::Error,
            ][usize::from(level)];
            log::log(level, &program.text());
        }
        _ => published_pins::pin_changed(program.word() % 4, program.flag(), program.number())?,
    }
    Ok(0)
}

/// A list or text no longer than what the host refuses for its length.
pub(crate) fn length(number: u64) -> usize {
    number.min(LENGTH_MAX) as usize
}

pub(crate) fn reply(scalar: u64) -> Reply {
    Reply {
        scalar,
        data: vec![0; length(scalar)],
    }
}

fn selector(number: u32) -> Selector {
    Selector {
        number,
        name: format!("selector-{number}"),
        input: String::new(),
        output: String::new(),
    }
}

fn edge(number: u8) -> Edge {
    match number % 5 {
        0 => Edge::Both,
        1 => Edge::Rising,
        2 => Edge::Falling,
        3 => Edge::HighLevel,
        _ => Edge::LowLevel,
    }
}

fn one<'a, T>(all: &'a [T], program: &mut Program<'_>) -> Result<&'a T, ErrorCode> {
    let index = usize::from(program.byte());
    all.get(index % all.len().max(1)).ok_or(ErrorCode::NotReady)
}

fn take<T>(all: &mut Vec<T>, program: &mut Program<'_>) -> Result<T, ErrorCode> {
    let index = usize::from(program.byte());
    if all.is_empty() {
        return Err(ErrorCode::NotReady);
    }
    Ok(all.swap_remove(index % all.len()))
}
