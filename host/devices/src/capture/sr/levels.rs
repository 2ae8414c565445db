//! From samples to the levels of a channel.

use super::{Problem, Samples};

/// A channel's level in the first sample, then each first sample after a
/// change.
#[derive(Debug)]
pub(in super::super) struct Levels {
    samples: Samples,
    place: Place,
    /// Of the sample looked at last; `None` before the first.
    high: Option<bool>,
    /// How many samples are done.
    index: u64,
}

impl Levels {
    pub(super) fn new(samples: Samples, unit: usize, bit: usize) -> Self {
        Self {
            samples,
            place: Place::new(bit, unit),
            high: None,
            index: 0,
        }
    }

    pub(in super::super) fn next(&mut self) -> Result<Option<(u64, bool)>, Problem> {
        loop {
            if let Some(found) = self.find_in_chunk() {
                return Ok(Some(found));
            }
            if !self.samples.fill()? {
                return Ok(None);
            }
        }
    }

    /// Skips to the next sample at another level, within the current chunk.
    fn find_in_chunk(&mut self) -> Option<(u64, bool)> {
        let unit = self.place.unit;
        let chunk = self.samples.chunk();
        let found = match self.high {
            None => (!chunk.is_empty()).then_some(0),
            Some(high) => self.place.find(chunk, !high),
        };
        let Some(skipped) = found else {
            self.index += (chunk.len() / unit) as u64;
            self.samples.consume(chunk.len());
            return None;
        };
        let high = self.place.is_high(&chunk[skipped * unit..]);
        self.high = Some(high);
        self.samples.consume((skipped + 1) * unit);
        let at = self.index + skipped as u64;
        self.index = at + 1;
        Some((at, high))
    }
}

/// Where a channel lies in samples of `unit` bytes.
#[derive(Debug)]
struct Place {
    unit: usize,
    byte: usize,
    mask: u8,
}

impl Place {
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
