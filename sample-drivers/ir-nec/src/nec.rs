//! The NEC infrared protocol, from the times of its edges alone.
//!
//! A frame is a mark of 9 ms and a space of 4.5 ms, then 32 bits, then a stop
//! mark. A bit is a mark of 562 us and a space that makes it 1.125 ms (0) or
//! 2.25 ms (1) long; the least significant comes first: address, its inverse,
//! command, its inverse. A key that is held sends, every 110 ms, a mark of 9 ms
//! and a space of 2.25 ms, then a stop mark.
//!
//! Receivers stretch marks at the expense of spaces. Both are therefore judged
//! by the time from mark to mark, which does not change, and the mark's own
//! length only coarsely.

use std::fmt;
use std::ops::Range;

const US: u64 = 1_000;

/// From mark to mark, in nanoseconds: each nominal value with 8 to 20 percent.
const LEADER: Range<u64> = 12_400 * US..14_600 * US;
const REPEAT: Range<u64> = 10_300 * US..12_200 * US;
const ZERO: Range<u64> = 900 * US..1_400 * US;
const ONE: Range<u64> = 1_800 * US..2_700 * US;

/// Marks: the leader's 9 ms and a bit's 562 us.
const LONG_MARK: Range<u64> = 7_500 * US..10_500 * US;
const SHORT_MARK: Range<u64> = 250 * US..900 * US;

/// What a remote control sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A key was pressed.
    Code(Code),
    /// It is held. `None` where the frame that it repeats was not received.
    Repeat(Option<Code>),
}

/// The content of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// 8 bits, or 16 where the second byte is not the inverse of the first:
    /// the extended protocol spends the inverse on more addresses.
    pub(crate) address: u16,
    pub(crate) command: u8,
}

/// One JSON object: `{"kind":"code","address":64,"command":1}`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, code) = match self {
            Self::Code(code) => ("code", Some(code)),
            Self::Repeat(code) => ("repeat", code.as_ref()),
        };
        let Some(Code { address, command }) = code else {
            return write!(f, r#"{{"kind":"{kind}","address":null,"command":null}}"#);
        };
        write!(
            f,
            r#"{{"kind":"{kind}","address":{address},"command":{command}}}"#
        )
    }
}

/// Makes keys of edges. Its memory is fixed.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    mark_start: Option<u64>,
    mark_end: Option<u64>,
    frame: Option<Frame>,
    awaiting_stop: Option<Key>,
    /// What a repeat stands for.
    last: Option<Code>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    bits: u32,
    count: u32,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Forgets what was begun: edges were lost, so the times between them mean
    /// nothing. A repeat to come would stand for an unknown key.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// An edge at `time` (nanoseconds) that begins a mark, or ends one. A key
    /// is complete with the end of the stop mark: a spike is no stop mark.
    pub(crate) fn edge(&mut self, time: u64, mark: bool) -> Option<Key> {
        if mark {
            self.mark_begins(time);
            return None;
        }
        self.mark_end = Some(time);
        let key = self.awaiting_stop.take()?;
        let length = time.saturating_sub(self.mark_start?);
        if !SHORT_MARK.contains(&length) {
            return None;
        }
        if let Key::Code(code) = key {
            self.last = Some(code);
        }
        Some(key)
    }

    fn mark_begins(&mut self, time: u64) {
        let start = self.mark_start.replace(time);
        let end = self.mark_end.take();
        self.awaiting_stop = None;
        let frame = self.frame.take();
        // Two beginnings without an end between them: an edge was missed, and
        // the frame with it.
        if let (Some(start), Some(end)) = (start, end) {
            self.symbol(frame, end.saturating_sub(start), time.saturating_sub(start));
        }
    }

    /// A mark of this length, `period` before the next one.
    fn symbol(&mut self, frame: Option<Frame>, mark: u64, period: u64) {
        if LONG_MARK.contains(&mark) {
            self.frame = LEADER.contains(&period).then(Frame::default);
            self.awaiting_stop = REPEAT.contains(&period).then_some(Key::Repeat(self.last));
            return;
        }
        let (Some(frame), Some(bit)) = (frame, bit(mark, period)) else {
            return;
        };
        let frame = frame.with(bit);
        if frame.count < 32 {
            self.frame = Some(frame);
            return;
        }
        self.last = None;
        self.awaiting_stop = frame.code().map(Key::Code);
    }
}

impl Frame {
    fn with(self, bit: bool) -> Self {
        Self {
            bits: self.bits | u32::from(bit) << self.count,
            count: self.count + 1,
        }
    }

    fn code(self) -> Option<Code> {
        let [address, second, command, inverse] = self.bits.to_le_bytes();
        let address = if second == !address {
            u16::from(address)
        } else {
            u16::from_le_bytes([address, second])
        };
        (inverse == !command).then_some(Code { address, command })
    }
}

fn bit(mark: u64, period: u64) -> Option<bool> {
    if !SHORT_MARK.contains(&mark) {
        None
    } else if ZERO.contains(&period) {
        Some(false)
    } else {
        ONE.contains(&period).then_some(true)
    }
}

#[cfg(test)]
mod tests;
