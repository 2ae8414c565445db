//! The frames of a PS/2 device: at each falling edge of the clock the data line has
//! one bit. A start bit (0), eight bits of which the lowest comes first, one that
//! makes their number odd, a stop bit (1).

/// In nanoseconds. Bits follow within 100 us, and frames after more than this.
const GAP: u64 = 500_000;

const BITS: u32 = 11;

/// Makes bytes of edges. Its memory is fixed.
#[derive(Debug)]
pub(crate) struct Frames {
    data: bool,
    /// The clock's last falling edge.
    last: u64,
    /// The bits so far, and their number.
    bits: u32,
    count: u32,
    /// Nothing begins before the next gap.
    is_astray: bool,
    errors: u64,
}

impl Frames {
    /// `data` is the level of the data line.
    pub(crate) fn new(data: bool) -> Self {
        Self {
            data,
            last: 0,
            bits: 0,
            count: 0,
            is_astray: false,
            errors: 0,
        }
    }

    /// Frames that were broken.
    pub(crate) fn errors(&self) -> u64 {
        self.errors
    }

    pub(crate) fn data(&mut self, high: bool) {
        self.data = high;
    }

    /// The clock fell at `time`; a byte with the last bit of a frame.
    pub(crate) fn clock(&mut self, time: u64) -> Option<u8> {
        if time.saturating_sub(self.last) > GAP {
            if self.count > 0 {
                self.broken();
            }
            self.is_astray = false;
        }
        self.last = time;
        // A computer that is busy holds the clock low: data stays high for that.
        if self.is_astray || self.count == 0 && self.data {
            return None;
        }
        self.bits |= u32::from(self.data) << self.count;
        self.count += 1;
        if self.count < BITS {
            return None;
        }
        let (bits, stop) = (self.bits >> 1 & 0x1ff, self.bits >> (BITS - 1));
        if bits.count_ones() % 2 == 0 || stop == 0 {
            self.broken();
            return None;
        }
        (self.bits, self.count) = (0, 0);
        Some(bits.to_le_bytes()[0])
    }

    /// Where the next frame begins only a gap can tell.
    pub(crate) fn broken(&mut self) {
        self.errors += 1;
        (self.bits, self.count) = (0, 0);
        self.is_astray = true;
    }
}

#[cfg(test)]
mod tests;
