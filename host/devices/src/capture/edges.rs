//! From samples to edges.

use std::sync::Arc;

use loopgate_workloop::Instant;

use super::sr::{Samples, Session};

/// The level of one channel and its changes, from [`Capture::edges`]; voltage
/// as recorded unless inverted.
///
/// [`Capture::edges`]: super::Capture::edges
#[derive(Debug)]
pub struct Edges {
    session: Arc<Session>,
    samples: Samples,
    bit: usize,
    invert: bool,
    start: Instant,
    /// Of the sample looked at last; `None` before the first.
    high: Option<bool>,
    /// How many samples are done.
    index: u64,
    ended: bool,
}

impl Edges {
    pub(super) fn new(session: Arc<Session>, bit: usize, invert: bool, start: Instant) -> Self {
        let samples = session.read();
        Self {
            session,
            samples,
            bit,
            invert,
            start,
            high: None,
            index: 0,
            ended: false,
        }
    }

    /// Skips to the next sample at another level, within the current chunk.
    fn find_in_chunk(&mut self) -> Option<u64> {
        let unit = self.session.unit();
        let chunk = self.samples.chunk();
        let channel = Channel::new(self.bit, unit);
        let found = match self.high {
            None => (!chunk.is_empty()).then_some(0),
            Some(high) => channel.find(chunk, !high),
        };
        let Some(skipped) = found else {
            self.index += (chunk.len() / unit) as u64;
            self.samples.consume(chunk.len());
            return None;
        };
        self.high = Some(channel.is_high(&chunk[skipped * unit..]));
        self.samples.consume((skipped + 1) * unit);
        let at = self.index + skipped as u64;
        self.index = at + 1;
        Some(at)
    }

    fn instant(&self, sample: u64) -> Instant {
        let rate = u128::from(self.session.sample_rate());
        let nanos = (u128::from(sample) * 1_000_000_000 + rate / 2) / rate;
        let nanos = nanos.saturating_add(u128::from(self.start.as_nanos()));
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Iterator for Edges {
    type Item = (Instant, bool);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if let Some(sample) = self.find_in_chunk() {
                let high = self.high? != self.invert;
                return Some((self.instant(sample), high));
            }
            match self.samples.fill() {
                Ok(more) => self.ended = !more,
                Err(problem) => {
                    self.session.set_fault(problem);
                    self.ended = true;
                }
            }
        }
        None
    }
}

impl std::iter::FusedIterator for Edges {}

/// Where a channel lies in samples of `unit` bytes.
struct Channel {
    unit: usize,
    byte: usize,
    mask: u8,
}

impl Channel {
    fn new(bit: usize, unit: usize) -> Self {
        Self {
            unit,
            byte: bit / 8,
            mask: 1 << (bit % 8),
        }
    }

    fn is_high(&self, sample: &[u8]) -> bool {
        sample[self.byte] & self.mask != 0
    }

    /// The first sample at the level `high`.
    fn find(&self, chunk: &[u8], high: bool) -> Option<usize> {
        let quiet = if self.unit == 1 {
            self.quiet_bytes(chunk, high)
        } else {
            0
        };
        let mut rest = chunk[quiet..].chunks_exact(self.unit);
        rest.position(|sample| self.is_high(sample) == high)
            .map(|found| quiet + found)
    }

    /// How far samples of one byte are certainly not at the level `high`. They
    /// are compared in blocks without a branch, which compiles to vector
    /// instructions: most of a recording is silence.
    fn quiet_bytes(&self, chunk: &[u8], high: bool) -> usize {
        const BLOCK: usize = 256;
        let quiet = if high { 0 } else { self.mask };
        let is_quiet = |block: &&[u8]| {
            block.iter().fold(0, |other, byte| other | (byte ^ quiet)) & self.mask == 0
        };
        BLOCK * chunk.chunks_exact(BLOCK).take_while(is_quiet).count()
    }
}
