//! What a sensor of the DHT family sends, from the times of falling edges alone.
//!
//! It pulls the line low to say that it is ready, then low once for each bit and
//! once more at the end. From one falling edge to the next a 0 takes 75 to 95 us, a
//! 1 takes 120 to 145 us, and so does the ready signal. Bytes come with the highest
//! bit first: humidity, temperature, and the sum of those four; some sensors send
//! more, which says nothing.

use loopgate_guest::prelude::*;

/// In nanoseconds: longer than a 0, shorter than a 1.
const ONE: u64 = 107_000;

/// Nothing in a frame takes so long.
const GAP: u64 = 1_000_000;

/// More edges than any frame has.
const FALLS_MAX: usize = 96;

/// The parts of the frame that are read.
const BYTES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    Dht11,
    /// Also sold as AM2301, AM2302.
    Dht22,
}

/// Both in tenths, of a percent and of a degree Celsius.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The first edge, in nanoseconds.
    pub(crate) at: u64,
    pub(crate) humidity: i16,
    pub(crate) temperature: i16,
}

/// Why a frame is no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Edges are missing, or are too many.
    Torn,
    Checksum,
}

/// The falling edges of a frame, so far. Its memory is bounded.
#[derive(Debug, Default)]
pub(crate) struct Frame(Vec<u64>);

impl Frame {
    /// Whether an edge at that time belongs to the next frame.
    pub(crate) fn ends_before(&self, time: u64) -> bool {
        let last = self.0.last();
        last.is_some_and(|last| time.saturating_sub(*last) > GAP)
    }

    pub(crate) fn fall(&mut self, time: u64) {
        if self.0.len() < FALLS_MAX {
            self.0.push(time);
        }
    }

    /// More than the one edge of a start pulse.
    pub(crate) fn is_answer(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether it may be over: bytes, and the ready signal, which was missed where
    /// the line was opened late.
    pub(crate) fn is_whole(&self) -> bool {
        let intervals = self.0.len().saturating_sub(1);
        intervals / 8 >= BYTES && intervals % 8 <= 1 && self.0.len() < FALLS_MAX
    }

    pub(crate) fn read(&self, model: Model) -> Result<Reading, Damage> {
        if !self.is_whole() {
            return Err(Damage::Torn);
        }
        let intervals = self
            .0
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]));
        let mut bytes = [0; BYTES];
        let ready = (self.0.len() - 1) % 8;
        for (bit, interval) in intervals.skip(ready).take(8 * BYTES).enumerate() {
            bytes[bit / 8] = bytes[bit / 8] << 1 | u8::from(interval > ONE);
        }
        let [content @ .., sum] = bytes;
        if content.into_iter().fold(0, u8::wrapping_add) != sum {
            return Err(Damage::Checksum);
        }
        let [humidity, temperature] = [[bytes[0], bytes[1]], [bytes[2], bytes[3]]];
        Ok(Reading {
            at: self.0[0],
            humidity: model.tenths(humidity),
            temperature: model.tenths(temperature),
        })
    }
}

impl Model {
    /// As the board file has it.
    pub(crate) fn named(name: &str) -> Result<Self> {
        match name {
            "dht11" => Ok(Self::Dht11),
            "dht22" => Ok(Self::Dht22),
            _ => {
                let what = format!("config `model` is `{name}`; write `dht11` or `dht22`");
                Err(Error::new(ErrorCode::BadArgument, what))
            }
        }
    }

    /// How long a host drives the line low.
    pub(crate) fn start_pulse(self) -> Duration {
        match self {
            Self::Dht11 => 20.millis(),
            Self::Dht22 => 2.millis(),
        }
    }

    /// The highest bit of the number's last part is its sign for the one, that of
    /// its first part for the other.
    fn tenths(self, [first, second]: [u8; 2]) -> i16 {
        let (sign, tenths) = match self {
            Self::Dht11 => (second, i16::from(first) * 10 + i16::from(second & 0x7f)),
            Self::Dht22 => (first, i16::from_be_bytes([first & 0x7f, second])),
        };
        if sign & 0x80 == 0 { tenths } else { -tenths }
    }
}

#[cfg(test)]
mod tests;
