//! The NEC infrared protocol, from the times of its edges alone.
//!
//! A frame is a mark of 9 ms and a space of 4.5 ms, then 32 bits, then a stop
//! mark. A bit is a mark of 562 us and a space that makes it 1.125 ms (0) or
//! 2.25 ms (1) long; the least significant comes first: address, its inverse,
//! command, its inverse. A key that is held sends, every 110 ms, a mark of 9 ms
//! and a space of 2.25 ms, then a stop mark.
//!
//! Receivers stretch marks at the expense of spaces. What counts is therefore
//! the time from mark to mark, which does not change; the mark's own length is
//! judged only coarsely.

use std::fmt;
use std::ops::Range;

/// From mark to mark, in nanoseconds: nominal, give or take 8 to 20 percent.
const LEADER: Range<u64> = 12_400_000..14_600_000;
const REPEAT: Range<u64> = 10_300_000..12_200_000;
const ZERO: Range<u64> = 900_000..1_400_000;
const ONE: Range<u64> = 1_800_000..2_700_000;

/// Marks: of a leader, and of a bit or stop.
const LONG: Range<u64> = 7_500_000..10_500_000;
const SHORT: Range<u64> = 250_000..900_000;

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

/// Makes keys of edges. Its memory is fixed.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    mark_start: u64,
    mark_end: u64,
    /// The bits so far, and their number.
    frame: Option<(u32, u32)>,
    awaiting_stop: Option<Key>,
    /// What a repeat stands for.
    last: Option<Code>,
}

impl Decoder {
    /// An edge at `time` (nanoseconds) that begins a mark, or ends one. A key
    /// is complete with the end of the stop mark: a spike is no stop mark.
    pub(crate) fn edge(&mut self, time: u64, mark: bool) -> Option<Key> {
        let since_start = time.saturating_sub(self.mark_start);
        if !mark {
            self.mark_end = time;
            let stopped = self
                .awaiting_stop
                .take()
                .filter(|_| SHORT.contains(&since_start));
            if let Some(Key::Code(code)) = stopped {
                self.last = Some(code);
            }
            return stopped;
        }
        // 0 where an edge was missed: no mark is that short.
        let length = self.mark_end.saturating_sub(self.mark_start);
        self.mark_start = time;
        self.awaiting_stop = None;
        let frame = self.frame.take();
        if LONG.contains(&length) {
            self.frame = LEADER.contains(&since_start).then_some((0, 0));
            self.awaiting_stop = REPEAT
                .contains(&since_start)
                .then_some(Key::Repeat(self.last));
        } else if SHORT.contains(&length) {
            let zero = ZERO.contains(&since_start).then_some(0);
            let bit = zero.or(ONE.contains(&since_start).then_some(1));
            self.bit(frame?, bit?);
        }
        None
    }

    fn bit(&mut self, (bits, count): (u32, u32), bit: u32) {
        let bits = bits | bit << count;
        if count < 31 {
            self.frame = Some((bits, count + 1));
            return;
        }
        self.last = None;
        let [address, inverse, command, check] = bits.to_le_bytes();
        let address = if inverse == !address {
            u16::from(address)
        } else {
            u16::from_le_bytes([address, inverse])
        };
        let code = (check == !command).then_some(Code { address, command });
        self.awaiting_stop = code.map(Key::Code);
    }
}

/// The longest key in print, with a line's end.
pub(crate) const LINE_MAX: usize = 48;

/// One JSON object: `{"kind":"code","address":64,"command":1}`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, code) = match self {
            Self::Code(code) => ("code", Some(code)),
            Self::Repeat(code) => ("repeat", code.as_ref()),
        };
        match code {
            Some(Code { address, command }) => {
                write!(
                    f,
                    r#"{{"kind":"{kind}","address":{address},"command":{command}}}"#
                )
            }
            None => write!(f, r#"{{"kind":"{kind}","address":null,"command":null}}"#),
        }
    }
}

#[cfg(test)]
mod tests;
