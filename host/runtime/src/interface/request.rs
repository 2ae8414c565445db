//! `request`: services offered to clients, and requests to other drivers.

use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::request::{
    self as wit, Arguments, Host, HostClient, Queueing, Reply,
};
use crate::error::ErrorCode;
use crate::grants::Named;
use crate::guest::Guest;
use crate::service::{Circumstances, Selector, Service};
use crate::staging::StagedClient;
use crate::structural::Open;
use crate::submission::{self, Mailbox, Queue, Sent, Submission};
use loopgate_workloop::{EventSource as _, Instant};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use wasmtime::component::Resource;

/// Selectors of one service.
const SELECTORS_MAX: usize = 64;
/// Characters of a service's or selector's name.
const NAME_MAX: usize = 64;
/// Bytes of a selector's line on what goes in or comes out.
const TEXT_MAX: usize = 256;

/// Another driver's service as the guest holds it. It names one instance of
/// the provider and dies with it.
pub struct Client {
    service: Arc<Service>,
    /// None once the grant was withdrawn.
    open: Option<Arc<Open>>,
}

impl Client {
    /// Closes it, where it is of that service.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<Arc<Open>> {
        self.open.take_if(|_| grant.is_service(&self.service.name))
    }
}

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

impl Host for Guest {
    fn publish(
        &mut self,
        service: String,
        gate: u32,
        queueing: Queueing,
        input_max: u32,
        selectors: Vec<wit::Selector>,
    ) -> Answer<()> {
        Ok(self
            .publish_service(service, gate, queueing, input_max, selectors)
            .map_err(Into::into))
    }

    fn io_command_is_complete(
        &mut self,
        id: u64,
        outcome: Result<Reply, WitErrorCode>,
    ) -> Answer<()> {
        let length = outcome.as_ref().map_or(0, |reply| reply.data.len());
        self.within_payload(length)?;
        let outcome = outcome
            .map(Into::into)
            .map_err(|code| match ErrorCode::from(code) {
                ErrorCode::Aborted => self.aborted(),
                code => code,
            });
        let completed = self.requests.complete(id, outcome);
        self.signal_mail();
        Ok(completed.map_err(Into::into))
    }

    fn command_sleep(&mut self, id: u64, event: u64, deadline: u64) -> Answer<()> {
        Ok(self.park(id, event, instant(deadline)).map_err(Into::into))
    }
}

impl HostClient for Guest {
    fn open(&mut self, service: String) -> Answer<Resource<Client>> {
        if let Err(reason) = self.driver.grants.uses(&service) {
            self.driver.log.host(&reason);
            return Ok(Err(WitErrorCode::NotGranted));
        }
        if let Err(code) = self.may_open() {
            return Ok(Err(code.into()));
        }
        let (services, staged) = (&self.driver.services, self.is_staged());
        let opened = services.open(&service, &self.driver.name, staged);
        let Some((service, open)) = opened else {
            return Ok(Err(WitErrorCode::NoDevice));
        };
        let open = Arc::new(open);
        let client = self.push(Client {
            service: service.clone(),
            open: Some(open.clone()),
        });
        if let (Some(client), Some(staging)) = (&client, self.staging()) {
            let handle = client.rep();
            staging.clients.push(StagedClient {
                service,
                handle,
                open,
            });
        }
        Ok(client.ok_or(WitErrorCode::NoResources))
    }

    fn run_command(
        &mut self,
        this: Resource<Client>,
        arguments: Arguments,
        reply_max: u32,
        timeout: u64,
    ) -> Answer<Reply> {
        self.ask(&this, &arguments, reply_max, Some(timeout), false)
    }

    fn attempt_command(
        &mut self,
        this: Resource<Client>,
        arguments: Arguments,
        reply_max: u32,
    ) -> Answer<Reply> {
        self.ask(&this, &arguments, reply_max, None, false)
    }

    fn immediate_command(
        &mut self,
        this: Resource<Client>,
        arguments: Arguments,
        reply_max: u32,
        timeout: u64,
    ) -> Answer<Reply> {
        self.ask(&this, &arguments, reply_max, Some(timeout), true)
    }

    fn submit(
        &mut self,
        this: Resource<Client>,
        arguments: Arguments,
        reply_max: u32,
        deadline: u64,
        context: u32,
    ) -> Answer<u64> {
        let Some(service) = self.granted(&this)? else {
            return Ok(Err(WitErrorCode::NotGranted));
        };
        let reply_max = self.reply_max(reply_max);
        let admitted = self.admit(&service, &arguments, reply_max);
        let submission = admitted.map(|Admitted { id, mailbox, queue }| {
            let sent = Sent {
                id,
                client: AtomicU32::new(this.rep()),
                context,
                service,
                arguments,
                reply_max,
                deadline: instant(deadline),
                debt: self.driver.debt.clone(),
            };
            Submission::new(sent, mailbox, queue)
        });
        let submitted = submission.and_then(|submission| self.send(submission));
        Ok(submitted.map_err(Into::into))
    }

    fn cancel(&mut self, this: Resource<Client>, id: u64) -> Answer<()> {
        // A handle that does not exist is a trap, as everywhere.
        self.table.get(&this)?;
        Ok(self.submissions.cancel(this.rep(), id).map_err(Into::into))
    }

    fn drop(&mut self, this: Resource<Client>) -> wasmtime::Result<()> {
        let rep = this.rep();
        self.submissions.cancel_all(rep);
        if let Some(staging) = self.staging() {
            staging.clients.retain(|client| client.handle != rep);
        }
        self.table.delete(this)?;
        Ok(())
    }
}

/// What a new request of a driver's own needs.
struct Admitted {
    id: u64,
    mailbox: Arc<Mailbox>,
    /// The provider's.
    queue: Arc<Queue>,
}

impl Guest {
    /// The service of an open client, unless its grant was withdrawn.
    fn granted(&self, client: &Resource<Client>) -> wasmtime::Result<Option<Arc<Service>>> {
        let client = self.table.get(client)?;
        if client.open.is_some() {
            return Ok(Some(client.service.clone()));
        }
        if let Err(reason) = self.driver.grants.uses(&client.service.name) {
            self.driver.log.host(&reason);
        }
        Ok(None)
    }

    /// What a new request of this driver's own needs, if it may have one.
    fn admit(
        &mut self,
        service: &Service,
        arguments: &Arguments,
        reply_max: u32,
    ) -> Result<Admitted, ErrorCode> {
        if self.stopping {
            return Err(ErrorCode::NotPermitted);
        }
        self.may_act()?;
        self.check(service, arguments)?;
        if !service.gate.attachment().is_attached() && !service.is_gone() {
            return Err(ErrorCode::NotReady);
        }
        // Without one nobody has been granted the service.
        let queue = service.queue.get().cloned().ok_or(ErrorCode::NotGranted)?;
        let mailbox = self.mailbox()?;
        let limits = &self.driver.limits;
        let bytes = submission::bytes(arguments, reply_max);
        let id = self.submissions.number(limits, bytes).map_err(|hit| {
            self.driver.log.host(&hit.to_string());
            ErrorCode::NoResources
        })?;
        Ok(Admitted { id, mailbox, queue })
    }

    fn send(&mut self, submission: Arc<Submission>) -> Result<u64, ErrorCode> {
        let sent = &submission.request;
        sent.service.enqueue(&submission)?;
        let (id, deadline) = (sent.id, sent.deadline);
        self.submissions.keep(submission);
        if deadline.is_some() {
            self.arm_deadline(None);
        }
        Ok(id)
    }

    fn check(&self, service: &Service, arguments: &Arguments) -> Result<(), ErrorCode> {
        service.check(arguments).map_err(|(code, reason)| {
            self.driver.log.host(&reason);
            code
        })
    }

    /// What is lowered into this guest is bounded by what it may hold.
    fn reply_max(&self, wanted: u32) -> u32 {
        wanted.min(self.driver.limits.payload as u32)
    }

    fn publish_service(
        &mut self,
        name: String,
        token: u32,
        queueing: Queueing,
        input_max: u32,
        selectors: Vec<wit::Selector>,
    ) -> Result<(), ErrorCode> {
        if let Err(reason) = self.driver.grants.provides(&name) {
            self.driver.log.host(&reason);
            return Err(ErrorCode::NotGranted);
        }
        self.may_open()?;
        let (gate, turns) = self.sources.gate(token).ok_or(ErrorCode::BadArgument)?;
        self.check_selectors(&name, input_max, &selectors)?;
        let selectors = selectors
            .into_iter()
            .map(
                |wit::Selector {
                     number,
                     name,
                     input,
                     output,
                 }| Selector {
                    number,
                    name,
                    input,
                    output,
                },
            )
            .collect();
        let service = Arc::new(Service {
            name,
            driver: self.driver.clone(),
            generation: AtomicU64::new(self.generation),
            gate,
            token,
            serial: queueing == Queueing::Serial,
            input_max,
            selectors,
            withdrawn: AtomicBool::new(false),
            turns,
            queue: OnceLock::new(),
        });
        if self.staging().is_none() {
            self.offer(service.clone())?;
        } else if self.is_taken(&service.name) {
            return Err(ErrorCode::BadArgument);
        }
        self.services.push(service);
        Ok(())
    }

    /// Has clients find the service.
    pub(crate) fn offer(&mut self, service: Arc<Service>) -> Result<(), ErrorCode> {
        // Every source costs each pass a look: one only where it can get mail.
        if self.driver.services.is_used(&service.name) {
            let mailbox = self.mailbox()?;
            service.turns.mailbox.get_or_init(|| mailbox.clone());
            service.queue.get_or_init(|| Queue::new(mailbox));
        }
        self.driver.services.publish(service)
    }

    /// Whether this instance, or another driver, offers a service of this name.
    fn is_taken(&self, name: &str) -> bool {
        let mut own = self.services.iter();
        let other = self.driver.services.get(name);
        own.any(|service| service.name == name)
            || other.is_some_and(|other| !Arc::ptr_eq(&other.driver, &self.driver))
    }

    fn check_selectors(
        &self,
        service: &str,
        input_max: u32,
        selectors: &[wit::Selector],
    ) -> Result<(), ErrorCode> {
        let payload = self.driver.limits.payload;
        let refuse = |code, reason: &str| {
            self.driver.log.host(&format!(
                "service `{service}` cannot be published: {reason}"
            ));
            Err(code)
        };
        if u64::from(input_max) > payload {
            return refuse(
                ErrorCode::NoResources,
                &format!("`input-max` is {input_max}, its limit `payload` {payload}"),
            );
        }
        if selectors.len() > SELECTORS_MAX {
            return refuse(
                ErrorCode::NoResources,
                &format!("more than {SELECTORS_MAX} selectors"),
            );
        }
        for (index, selector) in selectors.iter().enumerate() {
            let text = [&selector.input, &selector.output];
            if selector.name.len() > NAME_MAX || text.iter().any(|text| text.len() > TEXT_MAX) {
                return refuse(
                    ErrorCode::NoResources,
                    "a selector's name or text is too long",
                );
            }
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if !selector.name.starts_with(|c: char| c.is_ascii_lowercase())
                || !selector.name.chars().all(plain)
            {
                return refuse(
                    ErrorCode::BadArgument,
                    "a selector's name must be lower case words joined by hyphens",
                );
            }
            if text.iter().any(|text| text.chars().any(char::is_control)) {
                return refuse(ErrorCode::BadArgument, "a selector's text must be one line");
            }
            if selectors[..index]
                .iter()
                .any(|other| other.number == selector.number || other.name == selector.name)
            {
                return refuse(
                    ErrorCode::BadArgument,
                    "two selectors share a number or a name",
                );
            }
        }
        Ok(())
    }

    fn park(&mut self, id: u64, event: u64, deadline: Option<Instant>) -> Result<(), ErrorCode> {
        self.may_act()?;
        self.mailbox()?;
        self.requests.park(id, event, deadline)?;
        if deadline.is_some() {
            self.arm_deadline(deadline);
        }
        Ok(())
    }

    fn ask(
        &mut self,
        client: &Resource<Client>,
        arguments: &Arguments,
        reply_max: u32,
        timeout: Option<u64>,
        immediate: bool,
    ) -> Answer<Reply> {
        let Some(service) = self.granted(client)? else {
            return Ok(Err(WitErrorCode::NotGranted));
        };
        let circumstances = Circumstances {
            may_wait: false,
            immediate,
            reply_max: self.reply_max(reply_max),
        };
        let timeout = timeout.map(Duration::from_nanos);
        let outcome = self.call_down(&service, circumstances, arguments, timeout);
        Ok(outcome.map(Into::into).map_err(Into::into))
    }

    fn call_down(
        &mut self,
        service: &Service,
        circumstances: Circumstances,
        arguments: &Arguments,
        timeout: Option<Duration>,
    ) -> Result<crate::Reply, ErrorCode> {
        self.may_act()?;
        self.check(service, arguments)?;
        let wait = || match timeout {
            None => Err(ErrorCode::CannotLock),
            Some(_) if !service.gate.is_enabled() => Err(ErrorCode::NotPermitted),
            Some(timeout) => Ok(timeout),
        };
        self.down_call(&service.driver, wait, |cx| {
            service.attempt(cx, circumstances, arguments)
        })
    }
}

/// In the contract, zero is none.
fn instant(nanos: u64) -> Option<Instant> {
    (nanos != 0).then(|| Instant::from_nanos(nanos))
}
