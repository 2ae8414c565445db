//! From levels to edges.

use std::sync::Arc;

use loopgate_workloop::Instant;

use super::{Levels, Recording};

/// The level of one channel and its changes, from [`Capture::edges`]; voltage
/// as recorded unless inverted.
///
/// [`Capture::edges`]: super::Capture::edges
#[derive(Debug)]
pub struct Edges {
    recording: Arc<Recording>,
    channel: String,
    levels: Levels,
    invert: bool,
    start: Instant,
    /// In ticks of the recording: how long the plays before this one took.
    before: u128,
    /// How many plays are left after this one.
    left: u64,
    ended: bool,
}

impl Edges {
    pub(super) fn new(
        recording: Arc<Recording>,
        channel: &str,
        invert: bool,
        start: Instant,
    ) -> Option<Self> {
        Some(Self {
            levels: recording.levels(channel)?,
            recording,
            channel: channel.to_owned(),
            invert,
            start,
            before: 0,
            left: 0,
            ended: false,
        })
    }

    /// Plays the recording `times` times in all, each time beginning where the
    /// one before has ended, which is later than its last edge. 0 counts as 1;
    /// [`u64::MAX`] is for ever, unless the recording's length is zero.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.left = times.saturating_sub(1);
        self
    }

    /// False where that was the last one.
    fn play_again(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let Some(levels) = self.recording.levels(&self.channel) else {
            return false;
        };
        self.levels = levels;
        self.left -= 1;
        let length = u128::from(self.recording.ticks());
        self.before = self.before.saturating_add(length);
        true
    }

    fn instant(&self, tick: u64) -> Instant {
        let tick = self.before.saturating_add(u128::from(tick));
        let nanos = self.recording.time_scale().nanos(tick);
        let nanos = nanos.saturating_add(u128::from(self.start.as_nanos()));
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Iterator for Edges {
    type Item = (Instant, bool);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.levels.next() {
                Ok(Some((tick, high))) => return Some((self.instant(tick), high != self.invert)),
                Ok(None) => self.ended = !self.play_again(),
                Err(problem) => {
                    self.recording.set_fault(problem);
                    self.ended = true;
                }
            }
        }
        None
    }
}

impl std::iter::FusedIterator for Edges {}
