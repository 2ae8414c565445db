//! Requests: those of the driver's clients, and its own to other drivers.

use crate::bindings::exports::loopgate::driver::handlers;
use crate::bindings::loopgate::driver::{request as raw, types};
use crate::error::named;
use crate::time::nanos;
use crate::{Duration, Error, ErrorCode, GateId, Instant, Result, Submission};
use std::rc::Rc;

/// What a client asks.
#[derive(Clone, Debug)]
pub struct Request {
    /// One of the published selectors' numbers; others never reach the driver.
    pub selector: u32,
    /// Four numbers; their meaning is the selector's.
    pub scalars: [u64; 4],
    /// At most the service's `input_max` bytes.
    pub data: Vec<u8>,
    /// False where the client cannot wait: a deferred reply then ends as
    /// `busy`.
    pub may_wait: bool,
    /// Ahead of the queue of a serial service. What `command` returns is the
    /// answer: such a client cannot wait.
    pub immediate: bool,
    /// The longest `data` that the client takes back, in bytes; with more it
    /// gets `io`.
    pub reply_max: u32,
    gate: GateId,
    id: RequestId,
}

impl Request {
    /// The gate that the client came in by; compare it with a `Service`.
    pub fn gate(&self) -> GateId {
        self.gate
    }

    /// Names the request to [`Driver::cancelled`](crate::Driver::cancelled).
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Answers later, from any handler: the driver keeps the `Pending` and
    /// returns the `Reply`.
    pub fn defer(&self) -> (Pending, Reply) {
        (Pending { id: self.id }, Reply(Content::Deferred))
    }

    pub(crate) fn new(
        gate: GateId,
        id: raw::RequestId,
        circumstances: handlers::Circumstances,
        arguments: raw::Arguments,
    ) -> Self {
        Self {
            selector: arguments.selector,
            scalars: arguments.scalars.into(),
            data: arguments.data,
            may_wait: circumstances.may_wait,
            immediate: circumstances.immediate,
            reply_max: circumstances.reply_max,
            gate,
            id: RequestId(id),
        }
    }
}

/// Names a request, received or submitted: these two are numbered apart. Never
/// reused while the driver lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

impl RequestId {
    /// For a driver that passes ids through a client or a file.
    pub const fn from_raw(id: u64) -> Self {
        Self(id)
    }

    /// The contract's number for it.
    pub const fn as_raw(self) -> u64 {
        self.0
    }
}

/// A request that is answered later. Dropping it answers `aborted`: no client
/// is left waiting.
#[derive(Debug)]
#[must_use = "dropping it answers the request `aborted`"]
pub struct Pending {
    id: RequestId,
}

impl Pending {
    /// Names the request to [`Driver::cancelled`](crate::Driver::cancelled).
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Answers the request.
    ///
    /// # Errors
    ///
    /// `bad-argument` where its client has given up meanwhile.
    pub fn complete(self, outcome: Result<Reply>) -> Result<()> {
        let id = self.id;
        // What is answered here must not be answered by the drop again.
        std::mem::forget(self);
        complete(id, outcome)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // `bad-argument` tells that the client gave up: nobody waits.
        let _ = complete(self.id, Err(ErrorCode::Aborted.into()));
    }
}

/// Answers a deferred request by its id. [`Pending::complete`] cannot be called
/// twice; this can.
///
/// # Errors
///
/// `bad-argument` where the request was answered, given up, or never was, and
/// where `outcome` is itself deferred.
pub fn complete(id: RequestId, outcome: Result<Reply>) -> Result<()> {
    let Answer::Now(outcome) = answer(outcome) else {
        return Err(Error::new(ErrorCode::BadArgument, "a deferred reply"));
    };
    let ended = raw::io_command_is_complete(id.0, outcome.as_ref());
    Ok(ended.map_err(ErrorCode::from)?)
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(Content);

impl Reply {
    /// A number and some data.
    pub fn new(scalar: u64, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into();
        Self(Content::Now { scalar, data })
    }

    /// The number; 0 in a deferred reply.
    pub fn scalar(&self) -> u64 {
        match &self.0 {
            Content::Now { scalar, .. } => *scalar,
            Content::Deferred => 0,
        }
    }

    /// The data; empty in a deferred reply.
    pub fn data(&self) -> &[u8] {
        match &self.0 {
            Content::Now { data, .. } => data,
            Content::Deferred => &[],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Now { scalar: u64, data: Vec<u8> },
    Deferred,
}

impl From<u64> for Reply {
    fn from(scalar: u64) -> Self {
        Self::new(scalar, Vec::new())
    }
}

impl From<u32> for Reply {
    fn from(scalar: u32) -> Self {
        u64::from(scalar).into()
    }
}

impl From<()> for Reply {
    fn from((): ()) -> Self {
        0u64.into()
    }
}

impl From<Vec<u8>> for Reply {
    fn from(data: Vec<u8>) -> Self {
        Self::new(0, data)
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::new(0, text)
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::new(0, text)
    }
}

/// Another driver's service.
#[derive(Debug)]
pub struct Client {
    /// Shared with the submissions that are awaited.
    client: Rc<raw::Client>,
}

impl Client {
    /// Enters the provider's gate and asks, waiting for the gate at most
    /// `timeout` and never longer than this handler may run.
    ///
    /// # Errors
    ///
    /// The provider's own; `busy` where it does not answer at once,
    /// `not-permitted` where its gate is disabled, `would-deadlock` where the
    /// call would come back into a driver on the stack, `no-resources` for an
    /// eighth nested call, `timed-out`.
    pub fn run_command(&self, ask: &Ask<'_>, timeout: Duration) -> Result<Reply> {
        let result = self
            .client
            .run_command(&ask.arguments(), ask.reply_max, nanos(timeout));
        lift(result)
    }

    /// As [`run_command`](Self::run_command), but without waiting.
    ///
    /// # Errors
    ///
    /// As there, and `cannot-lock` where the gate is not free at once.
    pub fn attempt_command(&self, ask: &Ask<'_>) -> Result<Reply> {
        lift(self.client.attempt_command(&ask.arguments(), ask.reply_max))
    }

    /// As [`run_command`](Self::run_command), but ahead of the queue of a
    /// serial service: also while an earlier request is pending there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn immediate_command(&self, ask: &Ask<'_>, timeout: Duration) -> Result<Reply> {
        let result = self
            .client
            .immediate_command(&ask.arguments(), ask.reply_max, nanos(timeout));
        lift(result)
    }

    /// Asks without waiting for the gate or the answer. What this returns is
    /// awaited in an [`AsyncDriver`](crate::AsyncDriver)'s request, and gives
    /// the reply; dropping it cancels.
    ///
    /// What is not over at `deadline` ends as `timed-out`.
    ///
    /// # Errors
    ///
    /// `bad-argument` where the service has no such selector or takes less
    /// data, `no-resources` past the driver's limit `requests`, `not-ready`
    /// where the provider's gate is on no loop, `aborted` where the service was
    /// taken back, `driver-died` where its driver has ended, `not-permitted` in
    /// `stop`. The await gives the provider's own; `timed-out`, `aborted`,
    /// `driver-died`, and `no-resources` where the provider has too many
    /// pending.
    pub fn submit(&self, ask: &Ask<'_>, deadline: Option<Instant>) -> Result<Submission> {
        let id = self.submit_with_context(ask, deadline, 0)?;
        Ok(Submission::new(id, Some(self.client.clone())))
    }

    /// As [`submit`](Self::submit), and
    /// [`Driver::completed`](crate::Driver::completed) follows with `context`.
    ///
    /// # Errors
    ///
    /// As there, but for what the await gives: `completed` gets it. After an
    /// error nothing follows.
    pub fn submit_with_context(
        &self,
        ask: &Ask<'_>,
        deadline: Option<Instant>,
        context: u32,
    ) -> Result<RequestId> {
        // Zero is the contract's "none"; here it is long past.
        let deadline = deadline.map_or(0, |deadline| deadline.as_nanos().max(1));
        let id = self
            .client
            .submit(&ask.arguments(), ask.reply_max, deadline, context);
        Ok(RequestId(id.map_err(ErrorCode::from)?))
    }

    /// Ends a request that was submitted through this client:
    /// [`Driver::completed`](crate::Driver::completed) follows with `aborted`.
    /// Dropping the client cancels all that are not over.
    ///
    /// # Errors
    ///
    /// `bad-argument` where there is no such request, or it is over.
    pub fn cancel(&self, id: RequestId) -> Result<()> {
        Ok(self.client.cancel(id.0).map_err(ErrorCode::from)?)
    }

    /// Opens a service outside of `start`; see
    /// [`Context::client`](crate::Context::client).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(service: &str) -> Result<Self> {
        let client = named(raw::Client::open(service), || {
            format!("service `{service}`")
        })?;
        Ok(Self {
            client: Rc::new(client),
        })
    }
}

/// What this driver asks of another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// One of the numbers that the service publishes.
    pub selector: u32,
    /// Four numbers; their meaning is the selector's.
    pub scalars: [u64; 4],
    /// At most the service's `input_max` bytes.
    pub data: &'a [u8],
    /// The longest `data` that this driver takes back, in bytes; with more the
    /// request ends as `io`.
    pub reply_max: u32,
}

impl Ask<'_> {
    fn arguments(&self) -> raw::Arguments {
        raw::Arguments {
            selector: self.selector,
            scalars: self.scalars.into(),
            data: self.data.to_vec(),
        }
    }
}

/// What the contract makes of a handler's result.
#[derive(Debug)]
pub enum Answer {
    /// The request is answered.
    Now(Result<raw::Reply, types::ErrorCode>),
    /// It is pending.
    Later,
}

pub(crate) fn answer(result: Result<Reply>) -> Answer {
    match result {
        Ok(Reply(Content::Now { scalar, data })) => Answer::Now(Ok(raw::Reply { scalar, data })),
        Ok(Reply(Content::Deferred)) => Answer::Later,
        Err(error) => Answer::Now(Err(error.code().into())),
    }
}

pub(crate) fn lift(result: Result<raw::Reply, types::ErrorCode>) -> Result<Reply> {
    let reply = result.map_err(ErrorCode::from)?;
    Ok(Reply::new(reply.scalar, reply.data))
}
