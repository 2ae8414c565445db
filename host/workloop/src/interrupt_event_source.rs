//! Interrupts, from a line or from software.

mod filtering;
mod intake;
mod mask;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::action::ActionSlot;
use crate::attachment::Attachment;
use crate::context::Context;
use crate::error::Error;
use crate::event_source::{EventSource, Pass};
use crate::instant::Instant;
use crate::interrupt::{InterruptFilter, InterruptLine, InterruptSink, Interrupts, Occurrence};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use intake::{Device, Intake};
use mask::Mask;

/// What an interrupt source calls, in the gate.
pub type InterruptAction = Arc<dyn Fn(&Context, &InterruptEventSource, Interrupts) + Send + Sync>;

/// What becomes of an interrupt whose handler has died:
/// [`InterruptEventSource::keep_unhandled`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unhandled {
    /// Occurrences of the call that come again.
    pub again: u32,
    /// Losses of which the call told, and that are told again.
    pub lost: u32,
    /// What does not come a third time.
    pub set_aside: Option<Occurrence>,
}

/// Counts interrupts and delivers them, as one call for all that are pending.
///
/// What was counted is delivered or reported as lost: also after
/// [`disable`](EventSource::disable), which only stops the counting, and after
/// a removal, as soon as the source is on a loop again.
///
/// A source with a line is enabled from birth as a flag, but its line is off
/// until [`enable`](EventSource::enable) is called on a loop, and again after
/// each addition (\[26\], \[69\]). A source without a line is always enabled.
pub struct InterruptEventSource {
    intake: Arc<Intake>,
    action: ActionSlot<InterruptAction>,
    delivery: Mutex<Delivery>,
    /// The action runs, or sleeps. A pass from within it passes over this
    /// source (\[64\] deviates: there it comes in again with the same count).
    running: AtomicBool,
    /// The driver itself switched the line off: it stays off after the action.
    explicit_disable: AtomicBool,
    /// Which addition to a loop this is.
    registration: AtomicU32,
    /// How many occurrences at the head of the batch were in a call that was
    /// not finished, and come again. Written in the gate.
    again: AtomicUsize,
}

/// What a running action can take. Preallocated: a poll moves occurrences, no
/// memory.
struct Delivery {
    batch: VecDeque<Occurrence>,
    /// How many of them the action has taken.
    taken: usize,
    /// The running call was the first for all of them, and they come again.
    kept: bool,
    /// How many the running call reports as lost.
    lost: u32,
    latest: Occurrence,
}

impl InterruptEventSource {
    /// A source fed by `line`, or, without one, by
    /// [`signal`](InterruptEventSource::signal) alone. `queue` is how many
    /// occurrences of the line can be pending before the oldest are lost;
    /// it means nothing without a line. Without an action everything stays
    /// pending.
    ///
    /// # Errors
    /// `BadArgument` for a line with a queue of 0.
    pub fn new(
        line: Option<Arc<dyn InterruptLine>>,
        queue: usize,
        action: Option<InterruptAction>,
    ) -> Result<Arc<Self>, Error> {
        Self::build(line, queue, None, action)
    }

    /// A source fed by `line`, of whose interrupts `filter` says which count,
    /// in their primary context (\[75\]); otherwise as
    /// [`new`](InterruptEventSource::new).
    ///
    /// A filter that fails is never called again: the interrupt that it failed
    /// at counts, and all after it do.
    ///
    /// # Errors
    /// As `new`.
    pub fn filtered(
        line: Arc<dyn InterruptLine>,
        queue: usize,
        filter: Arc<dyn InterruptFilter>,
        action: Option<InterruptAction>,
    ) -> Result<Arc<Self>, Error> {
        Self::build(Some(line), queue, Some(filter), action)
    }

    fn build(
        line: Option<Arc<dyn InterruptLine>>,
        queue: usize,
        filter: Option<Arc<dyn InterruptFilter>>,
        action: Option<InterruptAction>,
    ) -> Result<Arc<Self>, Error> {
        if line.is_some() && queue == 0 {
            return Err(Error::BadArgument);
        }
        let room = if line.is_some() { queue } else { 0 };
        Ok(Arc::new(Self {
            intake: Arc::new(Intake::new(line, queue, filter)),
            action: ActionSlot::new(action),
            delivery: Mutex::new(Delivery {
                batch: VecDeque::with_capacity(room),
                taken: 0,
                kept: false,
                lost: 0,
                latest: Occurrence::default(),
            }),
            running: AtomicBool::new(false),
            explicit_disable: AtomicBool::new(false),
            registration: AtomicU32::new(0),
            again: AtomicUsize::new(0),
        }))
    }

    /// Counts a software interrupt, which happened at `at`. The line, if there
    /// is one, is not touched. Takes no gate, allocates nothing.
    ///
    /// # Errors
    /// `NotReady` on no loop; nothing is counted.
    pub fn signal(&self, at: Instant) -> Result<(), Error> {
        if self.intake.signal(at) {
            Ok(())
        } else {
            Err(Error::NotReady)
        }
    }

    /// Sets the one word of the driver's that its filter sees, from the next
    /// interrupt on; 0 at first. Callable from anywhere, takes no lock.
    pub fn set_filter_word(&self, word: u64) {
        if let Some(device) = &self.intake.device {
            device.filtering.set_word(word);
        }
    }

    /// Whether a filter decides. False also once it has failed, at the latest
    /// in the action for the interrupt that it failed at.
    pub fn is_filtered(&self) -> bool {
        let device = self.intake.device.as_ref();
        device.is_some_and(|device| device.filtering.is_on())
    }

    /// Has `filter` decide from the next interrupt on, with the word 0; without
    /// one everything counts. A call of the filter before it may still run.
    /// Nothing happens without a line.
    pub fn set_filter(&self, filter: Option<Arc<dyn InterruptFilter>>) {
        if let Some(device) = &self.intake.device {
            device.filtering.set_word(0);
            device.filtering.replace(filter);
        }
    }

    /// Within the action: moves at most `max` of the occurrences that the call
    /// stands for to the end of `into`, oldest first, and says how many. What
    /// is not taken is dropped when the action returns. Software interrupts
    /// are not among them.
    pub fn take_occurrences(&self, max: usize, into: &mut Vec<Occurrence>) -> usize {
        let mut delivery = self.delivery.lock();
        let all = match self.again() {
            _ if !self.running.load(Ordering::Acquire) => 0,
            0 => delivery.batch.len(),
            _ => 1,
        };
        let taken = delivery.taken;
        let count = max.min(all - taken);
        into.extend(delivery.batch.range(taken..taken + count));
        delivery.taken += count;
        count
    }

    /// Within the action, once: what it was called for was not handled, since
    /// its handler died over it. The occurrences that the call stands for come
    /// again, one a call, before all others, and with them the number of those
    /// lost. One that has come again and is not handled once more is set aside:
    /// it counts as lost from now on. Software interrupts are not kept, nor is a
    /// call that only told of losses. Takes no memory.
    pub fn keep_unhandled(&self) -> Unhandled {
        let mut delivery = self.delivery.lock();
        if self.again() > 0 {
            self.intake.lost.add(1);
            return Unhandled {
                set_aside: delivery.batch.front().copied(),
                ..Unhandled::default()
            };
        }
        let again = delivery.batch.len();
        if again == 0 {
            return Unhandled::default();
        }
        let lost = std::mem::take(&mut delivery.lost);
        self.intake.lost.add(lost);
        self.again.store(again, Ordering::Release);
        delivery.kept = true;
        Unhandled {
            again: u32::try_from(again).unwrap_or(u32::MAX),
            lost,
            set_aside: None,
        }
    }

    /// In the gate: how many were counted, or told as lost, and not delivered yet.
    pub fn pending(&self) -> u64 {
        self.again() as u64 + self.intake.pending()
    }

    /// In the gate, for a source that will not be on a loop again: consumes
    /// what is pending without delivering it, and says how much that was.
    pub fn discard_pending(&self) -> u64 {
        // One that runs just now was delivered.
        let running = usize::from(self.running.load(Ordering::Acquire));
        let again = self.again.swap(0, Ordering::AcqRel);
        let again = again.saturating_sub(running) as u64;
        let Interrupts { count, lost, .. } = self.consume();
        if self.intake.device.is_some() {
            self.delivery.lock().batch.clear();
        }
        again + u64::from(count) + u64::from(lost)
    }

    /// Replaces the action, from the next call on.
    pub fn set_action(&self, action: Option<InterruptAction>) {
        self.action.set(action);
        if self.has_pending() {
            self.intake.attachment.signal();
        }
    }

    /// Consumes what is pending, before the action and not after it: what
    /// comes meanwhile is the next call's (\[62\]).
    fn consume(&self) -> Interrupts {
        let intake = &*self.intake;
        let Some(device) = &intake.device else {
            return Interrupts {
                count: intake.signalled.take(u32::MAX),
                lost: 0,
                latest: intake.latest_signal(),
            };
        };
        let mut delivery = self.delivery.lock();
        if self.again() > 0
            && let Some(&latest) = delivery.batch.front()
        {
            delivery.lost = 0;
            delivery.latest = latest;
            return Interrupts {
                count: 1,
                lost: 0,
                latest,
            };
        }
        delivery.batch.clear();
        let occurred = intake.occurred.take(u32::MAX);
        let popped = delivery.fill(device, occurred);
        let displaced = occurred - popped;
        let signalled = intake.signalled.take(u32::MAX - popped);
        if signalled > 0 {
            let at = intake.latest_signal().timestamp;
            delivery.latest.timestamp = delivery.latest.timestamp.max(at);
        }
        delivery.lost = displaced + intake.lost.take(u32::MAX - displaced);
        Interrupts {
            count: popped + signalled,
            lost: delivery.lost,
            latest: delivery.latest,
        }
    }

    fn again(&self) -> usize {
        self.again.load(Ordering::Acquire)
    }

    fn has_pending(&self) -> bool {
        self.again() > 0 || self.intake.has_pending()
    }

    /// Opens a level line again that the primary context masked (\[71\]), unless
    /// the driver closed it, the source left, or another occurrence of it
    /// waits for its own action already.
    fn unmask(&self, registration: u32) {
        let Some((device, mask)) = self.masking() else {
            return;
        };
        let unchanged = self.intake.attachment.is_attached()
            && self.registration.load(Ordering::Acquire) == registration;
        if unchanged
            && !self.explicit_disable.load(Ordering::Acquire)
            && mask.lift(|| self.intake.occurred.is_pending())
        {
            device.switch_on();
        }
    }

    /// A level line, and what is known of its being off.
    fn masking(&self) -> Option<(&Device, &Mask)> {
        let device = self.intake.device.as_ref()?;
        Some((device, device.mask.as_ref()?))
    }

    /// The device while its line is registered.
    fn registered(&self) -> Option<&Device> {
        let device = self.intake.device.as_ref()?;
        self.intake.attachment.is_attached().then_some(device)
    }
}

impl EventSource for InterruptEventSource {
    fn attachment(&self) -> &Attachment {
        &self.intake.attachment
    }

    fn check_for_work(&self, pass: &Pass<'_>) -> bool {
        if !self.has_pending() {
            return false;
        }
        let Some(action) = self.action.get() else {
            return false;
        };
        // Looked at and set in the gate.
        if self.running.load(Ordering::Acquire) {
            return false;
        }
        self.running.store(true, Ordering::Release);
        let registration = self.registration.load(Ordering::Acquire);
        let running = Running(self);
        action(pass.context(), self, self.consume());
        drop(running);
        self.unmask(registration);
        false
    }

    fn attached(&self, _: &Context) -> Result<(), Error> {
        self.registration.fetch_add(1, Ordering::AcqRel);
        if let Some((_, mask)) = self.masking() {
            mask.clear();
        }
        match &self.intake.device {
            Some(device) => {
                let sink: Arc<dyn InterruptSink> = self.intake.clone();
                device.line.register(sink)
            }
            None => Ok(()),
        }
    }

    /// The line is unregistered, the flags stay as they are (\[26\]).
    fn detached(&self, _: &Context) {
        if let Some(device) = &self.intake.device {
            device.line.unregister();
        }
    }

    /// Switches the line on. Nothing happens on no loop or without a line.
    fn enable(&self, _: &Context) {
        if let Some(device) = self.registered() {
            if let Some(mask) = &device.mask {
                mask.clear();
            }
            device.switch_on();
            self.explicit_disable.store(false, Ordering::Release);
            self.intake.attachment.set_enabled(true);
        }
    }

    /// Switches the line off; what was counted is still delivered. Nothing
    /// happens on no loop or without a line.
    fn disable(&self, _: &Context) {
        if let Some(device) = self.registered() {
            device.line.disable();
            self.explicit_disable.store(true, Ordering::Release);
            self.intake.attachment.set_enabled(false);
        }
    }

    fn is_interrupt(&self) -> bool {
        true
    }
}

impl Delivery {
    /// Moves up to `count` occurrences from the ring, as many as fit.
    fn fill(&mut self, device: &Device, count: u32) -> u32 {
        let room = u32::try_from(device.ring.capacity()).unwrap_or(u32::MAX);
        let mut popped = 0;
        while popped < count.min(room)
            && let Some(occurrence) = device.ring.pop()
        {
            self.latest = occurrence;
            self.batch.push_back(occurrence);
            popped += 1;
        }
        popped
    }

    /// The action is over: forgets what its call stood for, unless that was
    /// kept just now.
    fn end(&mut self, again: &AtomicUsize) {
        self.taken = 0;
        if std::mem::take(&mut self.kept) {
            return;
        }
        match again.load(Ordering::Acquire) {
            0 => self.batch.clear(),
            left => {
                self.batch.pop_front();
                again.store(left - 1, Ordering::Release);
            }
        }
    }
}

/// Ends a delivery when the action has returned or unwound.
struct Running<'a>(&'a InterruptEventSource);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let source = self.0;
        if source.intake.device.is_some() {
            source.delivery.lock().end(&source.again);
        }
        source.running.store(false, Ordering::Release);
        // A pass from within the action may have cleared the signal of what
        // came meanwhile.
        if source.has_pending() {
            source.intake.attachment.signal();
        }
    }
}
