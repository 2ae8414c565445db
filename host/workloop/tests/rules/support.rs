//! What the tests of this crate share.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as RealInstant};

use loopgate_workloop::{
    Attachment, Context, Error, EventSource, Instant, InterruptAction, InterruptEventSource,
    InterruptLine, InterruptSink, Interrupts, Occurrence, Pass, TimerAction, TimerEventSource,
    Trigger, Verdict, VirtualClock, WorkLoop,
};

/// A loop without a thread, in virtual time.
pub struct Bench {
    pub clock: Arc<VirtualClock>,
    pub work_loop: Arc<WorkLoop>,
    pub cx: Context,
    pub log: Log,
}

impl Bench {
    pub fn new() -> Self {
        let clock = Arc::new(VirtualClock::new());
        clock.advance_to(ms(1_000));
        Self {
            work_loop: WorkLoop::new(clock.clone()),
            clock,
            cx: Context::detached("test"),
            log: Log::default(),
        }
    }

    pub fn add(&self, source: &Arc<impl EventSource>) {
        self.work_loop
            .add_event_source(&self.cx, source.clone())
            .unwrap();
    }

    pub fn remove(&self, source: &Arc<impl EventSource>) -> Result<(), Error> {
        self.work_loop
            .remove_event_source(&self.cx, &dynamic(source))
    }

    pub fn run(&self) -> bool {
        self.work_loop.run_event_sources(&self.cx)
    }

    /// Runs until nothing is left to do now.
    pub fn settle(&self) {
        while self.work_loop.has_work() {
            self.run();
        }
    }

    /// A source on the loop that logs its name at each poll.
    pub fn probe(&self, name: &'static str) -> Arc<Probe> {
        let log = self.log.clone();
        let probe = Probe::new(move |_, _| {
            log.push(name);
            false
        });
        self.add(&probe);
        probe
    }

    /// A software interrupt source on the loop that logs its name and count.
    pub fn software(&self, name: &'static str) -> Arc<InterruptEventSource> {
        let log = self.log.clone();
        let source = interrupt(None, move |_, _, i| log.push(format!("{name}{}", i.count)));
        self.add(&source);
        source
    }

    /// A timer, not yet added, that logs when it fires.
    pub fn timer(&self) -> Arc<TimerEventSource> {
        let log = self.log.clone();
        self.timer_with(move |_, _, deadline, now| {
            assert!(now >= deadline, "never early");
            log.push(format!("at {}", now.as_nanos() / 1_000_000));
        })
    }

    pub fn timer_with(
        &self,
        action: impl Fn(&Context, &TimerEventSource, Instant, Instant) + Send + Sync + 'static,
    ) -> Arc<TimerEventSource> {
        let action: TimerAction = Arc::new(action);
        TimerEventSource::new(self.clock.clone(), Some(action))
    }

    /// To `millis`, and everything that is due by then.
    pub fn advance_to(&self, millis: u64) {
        self.clock.advance_to(ms(millis));
        self.settle();
    }
}

pub fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

pub fn dynamic(source: &Arc<impl EventSource>) -> Arc<dyn EventSource> {
    source.clone()
}

pub fn interrupt(
    line: Option<&Arc<Line>>,
    action: impl Fn(&Context, &InterruptEventSource, Interrupts) + Send + Sync + 'static,
) -> Arc<InterruptEventSource> {
    let action: InterruptAction = Arc::new(action);
    let line = line.map(|line| line.clone() as Arc<dyn InterruptLine>);
    match line {
        Some(line) if FILTERING.get() => {
            let mine = |_, _| Ok(Verdict::Mine);
            InterruptEventSource::filtered(line, 4, Arc::new(mine), Some(action))
        }
        line => InterruptEventSource::new(line, 4, Some(action)),
    }
    .unwrap()
}

thread_local! {
    static FILTERING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, in which [`interrupt`] gives every source with a line a filter that
/// takes everything for its own.
pub fn with_filters(f: impl FnOnce()) {
    FILTERING.set(true);
    f();
    FILTERING.set(false);
}

/// Waits for what another thread does, up to a limit that only a defect meets.
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let begin = RealInstant::now();
    while !condition() {
        assert!(
            begin.elapsed() < Duration::from_mins(1),
            "waiting for {what}"
        );
        std::thread::yield_now();
    }
}

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn push(&self, entry: impl Into<String>) {
        self.lock().push(entry.into());
    }

    /// The entries so far, separated by blanks; the log is empty then.
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.lock()).join(" ")
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Poll = Box<dyn Fn(&Probe, &Pass<'_>) -> bool + Send + Sync>;

/// A custom event source.
pub struct Probe {
    attachment: Attachment,
    poll: Poll,
    pub attachments: AtomicU32,
}

impl Probe {
    pub fn new(poll: impl Fn(&Self, &Pass<'_>) -> bool + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            attachment: Attachment::new(),
            poll: Box::new(poll),
            attachments: AtomicU32::new(0),
        })
    }
}

impl EventSource for Probe {
    fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    fn check_for_work(&self, pass: &Pass<'_>) -> bool {
        (self.poll)(self, pass)
    }

    fn attached(&self, _: &Context) -> Result<(), Error> {
        self.attachments.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A line that the test raises, and that logs what is done to it.
pub struct Line {
    trigger: Trigger,
    pub log: Log,
    on: AtomicBool,
    pub fault: Option<Error>,
    sequence: AtomicU32,
    sink: Mutex<Option<Arc<dyn InterruptSink>>>,
}

impl Line {
    pub fn new(trigger: Trigger) -> Arc<Self> {
        Arc::new(Self::plain(trigger))
    }

    /// A line that cannot be registered.
    pub fn broken(fault: Error) -> Arc<Self> {
        let mut line = Self::plain(Trigger::Edge);
        line.fault = Some(fault);
        Arc::new(line)
    }

    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// One interrupt, if the line is on: its sequence number.
    pub fn raise(&self, at: Instant) -> Option<u64> {
        let sink = self.sink()?;
        if !self.is_on() {
            return None;
        }
        let sequence = u64::from(self.sequence.fetch_add(1, Ordering::Relaxed)) + 1;
        sink.interrupt_occurred(Occurrence {
            sequence,
            timestamp: at,
            high: sequence % 2 == 1,
        });
        Some(sequence)
    }

    pub fn lose(&self, count: u32) {
        self.sink().unwrap().occurrences_lost(count);
    }

    pub fn is_registered(&self) -> bool {
        self.sink().is_some()
    }

    fn sink(&self) -> Option<Arc<dyn InterruptSink>> {
        self.sink.lock().unwrap().clone()
    }

    fn plain(trigger: Trigger) -> Self {
        Self {
            trigger,
            log: Log::default(),
            on: AtomicBool::new(false),
            fault: None,
            sequence: AtomicU32::new(0),
            sink: Mutex::new(None),
        }
    }
}

impl InterruptLine for Line {
    fn trigger(&self) -> Trigger {
        self.trigger
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.log.push("register");
        *self.sink.lock().unwrap() = Some(sink);
        Ok(())
    }

    fn unregister(&self) {
        self.log.push("unregister");
        self.on.store(false, Ordering::Release);
        *self.sink.lock().unwrap() = None;
    }

    fn enable(&self) {
        self.log.push("on");
        self.on.store(true, Ordering::Release);
    }

    fn disable(&self) {
        self.log.push("off");
        self.on.store(false, Ordering::Release);
    }
}
