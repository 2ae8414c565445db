//! Services that the driver offers, and the gates that clients enter by.

use crate::Result;
use crate::bindings::loopgate::driver::{request as raw, work_loop};
use crate::error::named;
use crate::work_loop::{EventSource, Tokens, added, sealed};

thread_local!(static TOKENS: Tokens = const { Tokens::from(1) });

/// Lets clients in: their requests arrive as
/// [`Driver::command`](crate::Driver::command).
#[derive(Debug)]
pub struct CommandGate {
    gate: work_loop::CommandGate,
    id: GateId,
}

impl CommandGate {
    /// What [`Request::gate`](crate::Request::gate) tells.
    pub fn id(&self) -> GateId {
        self.id
    }

    /// Lets stalled clients and new ones in, as from creation on.
    pub fn enable(&self) {
        self.gate.enable();
    }

    /// From now on clients stall or, where they would not wait or are drivers,
    /// are told `not-permitted`. The loop's own events go on.
    pub fn disable(&self) {
        self.gate.disable();
    }

    /// Whether clients are let in.
    pub fn is_enabled(&self) -> bool {
        self.gate.is_enabled()
    }

    /// Wakes the request that has slept longest on `event`, of those that came
    /// through this gate: [`Gated::sleep`](crate::Gated::sleep). It goes on
    /// after the running handler has returned.
    ///
    /// Where it is cancelled before that, nobody else is woken in its place:
    /// what more than one may wait for needs [`wakeup_all`](Self::wakeup_all),
    /// or a guard that wakes the next.
    pub fn wakeup_one(&self, event: u64) {
        self.gate.command_wakeup(event, true);
    }

    /// Wakes every request that sleeps on `event` and came through this gate.
    pub fn wakeup_all(&self, event: u64) {
        self.gate.command_wakeup(event, false);
    }

    /// A gate on the work loop. See
    /// [`Context::command_gate`](crate::Context::command_gate), which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create() -> Result<Self> {
        let token = TOKENS.with(Tokens::next);
        let created = work_loop::CommandGate::create(token);
        let gate = Self {
            gate: named(created, || "command gate".into())?,
            id: GateId(token),
        };
        // Enabled from birth; one that is taken over stays as it was left.
        added(gate)
    }
}

impl EventSource for CommandGate {}

impl sealed::Source for CommandGate {
    fn source(&self) -> work_loop::EventSource<'_> {
        work_loop::EventSource::CommandGate(&self.gate)
    }
}

/// Names a [`CommandGate`] of this driver; compare it with the gate, or with
/// the [`Service`] behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GateId(pub(crate) u32);

impl PartialEq<CommandGate> for GateId {
    fn eq(&self, gate: &CommandGate) -> bool {
        *self == gate.id
    }
}

impl PartialEq<Service> for GateId {
    fn eq(&self, service: &Service) -> bool {
        *self == service.0
    }
}

/// A service that this driver offers, behind a gate of its own.
#[derive(Debug)]
#[must_use = "clients are let in only while the service is kept"]
pub struct Service(CommandGate);

impl std::ops::Deref for Service {
    type Target = CommandGate;

    fn deref(&self) -> &CommandGate {
        &self.0
    }
}

/// What happens to a request while an earlier one is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queueing {
    /// It waits until the earlier one was completed.
    #[default]
    Serial,
    /// It comes at once: the driver queues by itself.
    Concurrent,
}

/// One thing that a service can be asked, described for people and tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// What [`Request::selector`](crate::Request::selector) tells.
    pub number: u32,
    /// Lower case words joined by hyphens.
    pub name: String,
    /// One line on what goes in; empty where nothing does.
    pub input: String,
    /// One line on what comes out.
    pub output: String,
}

/// Describes a service until it is published.
#[derive(Clone, Debug)]
#[must_use = "a service exists only once it is published"]
pub struct ServiceBuilder<'a> {
    name: &'a str,
    queueing: Queueing,
    input_max: u32,
    selectors: Vec<Selector>,
}

impl<'a> ServiceBuilder<'a> {
    /// Adds something that the service can be asked. `input` and `output` say
    /// in one line what goes in and what comes out.
    pub fn selector(mut self, number: u32, name: &str, input: &str, output: &str) -> Self {
        self.selectors.push(Selector {
            number,
            name: name.into(),
            input: input.into(),
            output: output.into(),
        });
        self
    }

    /// While a request is pending the next ones wait. The default.
    pub fn serial(mut self) -> Self {
        self.queueing = Queueing::Serial;
        self
    }

    /// Requests come while others are pending: the driver queues by itself.
    pub fn concurrent(mut self) -> Self {
        self.queueing = Queueing::Concurrent;
        self
    }

    /// The longest data that a request may bring, in bytes: 0 unless told. A
    /// request with more never reaches the driver.
    pub fn input_max(mut self, bytes: u32) -> Self {
        self.input_max = bytes;
        self
    }

    /// Offers the service. Clients can use it once `start` has returned `Ok`.
    ///
    /// # Errors
    ///
    /// `not-granted` where the board entry's `provides` does not name it,
    /// `bad-argument` where it is published already or two selectors share a
    /// number or a name, `no-resources` past a limit of the host.
    pub fn publish(self) -> Result<Service> {
        let gate = CommandGate::create()?;
        self.publish_through(&gate)?;
        Ok(Service(gate))
    }

    /// As [`publish`](Self::publish), through a gate that the driver has: one
    /// for several services, or one that it removes and adds itself.
    ///
    /// # Errors
    ///
    /// As `publish`.
    pub fn publish_through(self, gate: &CommandGate) -> Result<()> {
        let queueing = match self.queueing {
            Queueing::Serial => raw::Queueing::Serial,
            Queueing::Concurrent => raw::Queueing::Concurrent,
        };
        let selectors: Vec<_> = self.selectors.into_iter().map(lower).collect();
        let published = raw::publish(self.name, gate.id.0, queueing, self.input_max, &selectors);
        named(published, || format!("publishing service `{}`", self.name))
    }

    /// Begins to describe the service `name`. See
    /// [`Context::service`](crate::Context::service), which is the same.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            queueing: Queueing::default(),
            input_max: 0,
            selectors: Vec::new(),
        }
    }
}

fn lower(selector: Selector) -> raw::Selector {
    raw::Selector {
        number: selector.number,
        name: selector.name,
        input: selector.input,
        output: selector.output,
    }
}
