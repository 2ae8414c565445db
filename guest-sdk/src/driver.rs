//! The trait that a driver implements.

use crate::{
    Context, ErrorCode, FilterEvent, InterruptId, Interrupts, PowerChange, PowerState, Readiness,
    Reply, Request, RequestId, Result, Saved, StructuralEvent, Timeout, TimerId, Verdict,
};

/// A driver: what the host calls, one handler at a time, with the gate of the
/// driver's work loop closed.
///
/// No handler may wait. Each has the time that the board entry allows
/// (`handler-cpu`, `handler-wall`); a handler that exceeds it, or panics, ends
/// this instance and harms nobody else.
pub trait Driver: Sized + 'static {
    /// Opens the devices and creates the sources, which go live when this
    /// returns `Ok`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the driver from working. The text goes to the host's
    /// log, and everything that was opened is released again.
    fn start(cx: &Context) -> Result<Self>;

    /// `event.count` interrupts of `source` arrived since the last call, and
    /// `event.lost` more found no room.
    ///
    /// `source == self.button` tells several sources apart.
    /// [`Interrupt::take_occurrences`](crate::Interrupt::take_occurrences)
    /// gives each interrupt with its time.
    ///
    /// # Errors
    ///
    /// Go to the host's log, and the driver goes on.
    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        let _ = (source, event);
        Ok(())
    }

    /// Whether an interrupt counts, for the sources of
    /// [`Context::filtered_interrupt`](crate::Context::filtered_interrupt).
    ///
    /// It is asked as the interrupt occurs, perhaps while a handler runs, in an
    /// instance of the component of its own: statics are not those that the
    /// handlers see, and whatever calls the host is a trap, the log included.
    /// What it has to know, such as which source it is asked for, stands in
    /// [`FilterEvent::word`]. It has some thousand instructions
    /// (`filter-fuel`); one that fails is switched off, and everything counts.
    fn filter(event: FilterEvent) -> Verdict {
        let _ = event;
        Verdict::Mine
    }

    /// The timer `timer` expired. It does not fire again until it is armed
    /// again.
    ///
    /// # Errors
    ///
    /// Go to the host's log, and the driver goes on.
    fn timeout(&mut self, timer: TimerId, expiry: Timeout) -> Result<()> {
        let _ = (timer, expiry);
        Ok(())
    }

    /// A client's request, on a service that this driver publishes.
    ///
    /// A driver that cannot answer yet keeps [`Request::defer`]'s `Pending`
    /// and returns its `Reply`, or is an [`AsyncDriver`](crate::AsyncDriver),
    /// whose requests do not come here.
    ///
    /// # Errors
    ///
    /// The [`ErrorCode`](crate::ErrorCode) goes to the client. What a driver
    /// does not override is `unsupported`.
    fn command(&mut self, request: Request) -> Result<Reply> {
        let _ = request;
        Err(ErrorCode::Unsupported.into())
    }

    /// The client of the deferred request `id` gave up, died or ran out of
    /// time: the driver forgets it, and drops its `Pending`.
    fn cancelled(&mut self, id: RequestId) {
        let _ = id;
    }

    /// A request that this driver has submitted with
    /// [`Client::submit_with_context`](crate::Client::submit_with_context) is
    /// over. Each ends exactly once, and never before the handler that
    /// submitted it has returned.
    ///
    /// # Errors
    ///
    /// Go to the host's log, and the driver goes on.
    fn completed(&mut self, context: u32, id: RequestId, outcome: Result<Reply>) -> Result<()> {
        let _ = (context, id, outcome);
        Ok(())
    }

    /// The level of a pin that this driver publishes, for another driver.
    ///
    /// # Errors
    ///
    /// The code goes to the other driver, here and in the next two.
    fn pin_read(&mut self, pin: u32) -> Result<bool> {
        let _ = pin;
        Err(ErrorCode::Unsupported.into())
    }

    /// Drives a published pin, which is open as an output.
    ///
    /// # Errors
    ///
    /// See [`pin_read`](Self::pin_read).
    fn pin_write(&mut self, pin: u32, high: bool) -> Result<()> {
        let _ = (pin, high);
        Err(ErrorCode::Unsupported.into())
    }

    /// A published pin is opened, as an output of this level or an input, or
    /// closed: then it is an input again.
    ///
    /// # Errors
    ///
    /// Nobody has it open then. See [`pin_read`](Self::pin_read).
    fn pin_configure(&mut self, pin: u32, output: Option<bool>) -> Result<()> {
        let _ = (pin, output);
        Err(ErrorCode::Unsupported.into())
    }

    /// The drivers around this one have changed. `service` is what is used of
    /// whom; what is returned means something for
    /// [`ProviderTerminated`](StructuralEvent::ProviderTerminated): a driver
    /// without another provider is about to be stopped. One that has another
    /// lives on, and is waited for as long as it has something open.
    fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        let _ = (event, service);
        Readiness::Ready
    }

    /// Whether the board may go to sleep: one driver's `false` keeps it up.
    fn allow_power_change(&mut self, state: PowerState) -> bool {
        let _ = state;
        true
    }

    /// The board goes to sleep, the users of a driver before it; or wakes, a
    /// driver before its users. Sources go on to deliver while asleep: what is
    /// not to work then is disabled here.
    ///
    /// A driver that starts while the board is asleep is called right after its
    /// [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// Count as made, and go to the host's log.
    fn set_power_state(&mut self, state: PowerState) -> Result<PowerChange> {
        let _ = state;
        Ok(PowerChange::Made)
    }

    /// Every driver has made the change; or one did not allow it, and the state
    /// is what it was.
    fn power_state_did_change(&mut self, state: PowerState) {
        let _ = state;
    }

    /// What the next version of this driver is to go on with, as
    /// [`Saved::new`] makes it; a driver that does not override this has its
    /// next version start afresh, after [`stop`](Self::stop).
    ///
    /// If there is a state, the next version's [`start`](Self::start), with
    /// [`Cause::Reload`](crate::Cause::Reload), and
    /// [`restore`](Self::restore) come next. What `start` opens and creates is
    /// what this version had: pins, ports, services and clients by their names,
    /// timers, gates and software interrupts in the order in which each kind is
    /// created. Outputs keep their levels, armed timers stay armed, a disabled
    /// gate stays disabled; interrupts are enabled, as always. Nothing can be
    /// driven, written or asked before `restore` has returned: that is
    /// `not-permitted`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the driver from being replaced now: the reload is
    /// refused, and this version goes on.
    fn save(&self) -> Result<Saved> {
        Err(ErrorCode::Unsupported.into())
    }

    /// What the last version saved.
    ///
    /// # Errors
    ///
    /// This version is dropped, and the last one goes on as if nothing had been
    /// tried.
    fn restore(&mut self, saved: &Saved) -> Result<()> {
        let _ = saved;
        Err(ErrorCode::Unsupported.into())
    }

    /// The last call. What the driver still holds is released afterwards.
    fn stop(&mut self) {}
}
