//! One pin: who drives it, what level that makes, and what its holder sees.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::Instant;

use super::gpio::InterruptState;
use super::{SimLineConfig, SimLineState};
use crate::gpio::{Bias, Direction, Drive, LineInfo, LineRequest};

/// What holds a line that nobody drives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// A resistor towards the supply.
    Up,
    /// A resistor towards ground.
    Down,
    /// Nothing: the line keeps its last level.
    #[default]
    None,
}

/// What makes the level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrivenBy {
    /// Its holder's output.
    Output,
    /// [`SimBoard::set`](super::SimBoard::set) or a stream.
    Outside,
    /// A pull resistor.
    Pull,
    /// Nothing; the level is the last one.
    Nothing,
}

/// A pin of the board.
pub(super) struct Pin {
    pub(super) name: Arc<str>,
    pull: Pull,
    outside: Option<bool>,
    holder: Option<Holder>,
    /// Lives only while `holder` does.
    pub(super) interrupt: Option<InterruptState>,
    high: bool,
    edges: u64,
    contention: bool,
    contentions: u64,
    last_change: Instant,
}

/// Who has requested a pin, and how.
struct Holder {
    consumer: String,
    /// The voltage to drive; `None` for an input.
    output: Option<bool>,
    bias: Bias,
    drive: Drive,
    active_low: bool,
    debounce: Option<Debounce>,
}

/// A level must last for `period` before it counts, as the kernel's software
/// debounce has it: every edge starts the period again.
struct Debounce {
    period: Duration,
    /// The voltage last found stable.
    stable: bool,
    deadline: Option<Instant>,
}

impl Pin {
    pub(super) fn new(config: SimLineConfig) -> Self {
        Self {
            name: config.name.into(),
            pull: config.pull,
            outside: None,
            holder: None,
            interrupt: None,
            high: config.pull == Pull::Up,
            edges: 0,
            contention: false,
            contentions: 0,
            last_change: Instant::ZERO,
        }
    }

    /// Nobody else can have it from now on. It stays as it is.
    pub(super) fn reserve(&mut self, consumer: &str) {
        self.holder = Some(Holder {
            consumer: consumer.to_owned(),
            output: None,
            bias: Bias::AsIs,
            drive: Drive::PushPull,
            active_low: false,
            debounce: None,
        });
    }

    // Whoever changes who drives the pin calls `update` after it: see
    // `Pins::change`.

    pub(super) fn hold(&mut self, request: &LineRequest) {
        let output = match request.direction {
            Direction::Input => None,
            Direction::Output { initial } => Some(initial != request.active_low),
        };
        self.holder = Some(Holder {
            consumer: request.consumer.clone(),
            output,
            bias: request.bias,
            drive: request.drive,
            active_low: request.active_low,
            debounce: None,
        });
    }

    /// Starts the debounce from the level that the pin has with its new bias.
    pub(super) fn start_debounce(&mut self, period: Option<Duration>) {
        let stable = self.high;
        if let Some(holder) = &mut self.holder {
            holder.debounce = period
                .filter(|period| !period.is_zero())
                .map(|period| Debounce {
                    period,
                    stable,
                    deadline: None,
                });
        }
    }

    pub(super) fn let_go(&mut self) {
        self.holder = None;
    }

    pub(super) fn output(&mut self, high: bool) {
        if let Some(holder) = &mut self.holder {
            holder.output = Some(high);
        }
    }

    pub(super) fn make_input(&mut self) {
        if let Some(holder) = &mut self.holder {
            holder.output = None;
        }
    }

    pub(super) fn is_output(&self) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|holder| holder.output.is_some())
    }

    pub(super) fn drive_from_outside(&mut self, level: Option<bool>) {
        self.outside = level;
    }

    /// A time for a change at `at`: never before the last one.
    pub(super) fn not_before_last_change(&self, at: Instant) -> Instant {
        at.max(self.last_change)
    }

    /// Works the level out anew. `Some` gives the voltage where it has
    /// changed.
    pub(super) fn update(&mut self, at: Instant) -> Option<bool> {
        let contention = self.contends();
        self.contentions += u64::from(contention && !self.contention);
        self.contention = contention;
        let high = self.resolve().1;
        if high == self.high {
            return None;
        }
        self.high = high;
        self.edges += 1;
        self.last_change = at;
        Some(high)
    }

    /// The voltage that the holder is shown: of a debounced pin the stable
    /// one.
    pub(super) fn seen(&self, now: impl FnOnce() -> Instant) -> bool {
        match self
            .holder
            .as_ref()
            .and_then(|holder| holder.debounce.as_ref())
        {
            Some(Debounce {
                deadline: Some(deadline),
                stable,
                ..
            }) if *deadline > now() => *stable,
            _ => self.high,
        }
    }

    /// When the debounce period that runs will be over.
    pub(super) fn settles_at(&self) -> Option<Instant> {
        self.holder.as_ref()?.debounce.as_ref()?.deadline
    }

    /// Starts a debounce period over. `None` where the pin has no debounce.
    pub(super) fn unsettle(&mut self, at: Instant) -> Option<Instant> {
        let debounce = self.debounce()?;
        debounce.deadline = Some(at.saturating_add(debounce.period));
        debounce.deadline
    }

    /// Ends the debounce period. `Some` gives the voltage where it is another
    /// than before.
    pub(super) fn settle(&mut self) -> Option<bool> {
        let high = self.high;
        let debounce = self.debounce()?;
        debounce.deadline = None;
        (std::mem::replace(&mut debounce.stable, high) != high).then_some(high)
    }

    fn debounce(&mut self) -> Option<&mut Debounce> {
        self.holder.as_mut()?.debounce.as_mut()
    }

    pub(super) fn active_low(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.active_low)
    }

    pub(super) fn consumer(&self) -> Option<&str> {
        self.holder.as_ref().map(|holder| holder.consumer.as_str())
    }

    fn direction(&self) -> Direction {
        match self.holder.as_ref().and_then(|holder| holder.output) {
            None => Direction::Input,
            Some(_) => Direction::Output {
                initial: self.high != self.active_low(),
            },
        }
    }

    pub(super) fn info(&self) -> LineInfo {
        LineInfo {
            name: self.name.to_string(),
            consumer: self.consumer().map(str::to_owned),
            direction: self.direction(),
            level: Some(self.high),
            active_low: self.active_low(),
        }
    }

    pub(super) fn show(&self) -> SimLineState {
        SimLineState {
            name: self.name.to_string(),
            high: self.high,
            driven_by: self.resolve().0,
            contention: self.contention,
            contentions: self.contentions,
            consumer: self.consumer().map(str::to_owned),
            direction: self.direction(),
            edges: self.edges,
        }
    }

    fn resolve(&self) -> (DrivenBy, bool) {
        if let Some(high) = self.driven_by_output() {
            (DrivenBy::Output, high)
        } else if let Some(high) = self.outside {
            (DrivenBy::Outside, high)
        } else {
            match self.effective_pull() {
                Pull::Up => (DrivenBy::Pull, true),
                Pull::Down => (DrivenBy::Pull, false),
                Pull::None => (DrivenBy::Nothing, self.high),
            }
        }
    }

    fn contends(&self) -> bool {
        matches!((self.driven_by_output(), self.outside), (Some(a), Some(b)) if a != b)
    }

    /// The voltage that the output puts on the pin; `None` where it lets go.
    fn driven_by_output(&self) -> Option<bool> {
        let holder = self.holder.as_ref()?;
        let high = holder.output?;
        match holder.drive {
            Drive::PushPull => Some(high),
            Drive::OpenDrain => (!high).then_some(false),
            Drive::OpenSource => high.then_some(true),
        }
    }

    fn effective_pull(&self) -> Pull {
        match self
            .holder
            .as_ref()
            .map_or(Bias::AsIs, |holder| holder.bias)
        {
            Bias::AsIs => self.pull,
            Bias::PullUp => Pull::Up,
            Bias::PullDown => Pull::Down,
            Bias::Disabled => Pull::None,
        }
    }
}
