//! What every port is made of: two buffers, and when its lines are due.

use std::collections::VecDeque;
use std::sync::Arc;

use loopgate_workloop::Clock;

use super::buffer::Buffer;
use super::{Counts, LineErrors, MAX_BUFFER_BYTES, Signals};

/// How many places with line errors are remembered.
const MARKS: usize = 64;

/// Kept under a port's lock. Whoever changes it calls [`Signals::deliver`]
/// after that lock was given up.
pub(crate) struct Wire {
    input: Buffer,
    output: Buffer,
    counts: Counts,
    /// What came between the bytes of the input, in order.
    marks: VecDeque<Mark>,
    /// What reads have passed and nobody has taken.
    errors: LineErrors,
    gone: bool,
    /// The device went or came back, and the holder has not been told by a read.
    news: bool,
    /// The last write took less than it was given.
    short: bool,
    signals: Signals,
}

/// Something that is no sound byte, and how many bytes came before it.
struct Mark {
    at: u64,
    errors: LineErrors,
}

impl Wire {
    pub(crate) fn new(buffer: usize, clock: &Arc<dyn Clock>) -> Self {
        let buffer = buffer.clamp(1, MAX_BUFFER_BYTES);
        Self {
            input: Buffer::new(buffer),
            output: Buffer::new(buffer),
            counts: Counts::default(),
            // Allocated once, as the buffers are.
            marks: VecDeque::with_capacity(MARKS),
            errors: LineErrors::default(),
            gone: false,
            news: false,
            short: false,
            signals: Signals::new(clock),
        }
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// The holder reads; `None` where the device is gone and all was read.
    pub(crate) fn read(&mut self, max: usize, into: &mut Vec<u8>) -> Option<usize> {
        let drained = self.gone && self.input.is_empty() && self.marks.is_empty();
        // What came before any byte is told before any byte: by an empty read.
        let next = self.marks.front();
        let next = next.map_or(usize::MAX, |mark| (mark.at - self.position()) as usize);
        let count = self.input.pop(max.min(next), into);
        self.pass_marks();
        // That it is gone is news until a read has said so.
        self.news &= self.gone && !drained;
        self.signals.readable.answer(self.is_readable());
        (!drained).then_some(count)
    }

    /// The holder writes `bytes`, of which the device has taken the first
    /// `sent` already. How many were taken in all.
    pub(crate) fn write(&mut self, bytes: &[u8], sent: usize) -> usize {
        self.counts.output += sent as u64;
        let taken = sent + self.output.push(&bytes[sent..]);
        self.short = taken < bytes.len();
        self.signals.writable.answer(self.is_writable());
        taken
    }

    /// How many bytes the holder has read.
    fn position(&self) -> u64 {
        self.counts.input - self.input.len() as u64
    }

    fn pass_marks(&mut self) {
        let position = self.position();
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.at <= position) {
            self.errors.add(mark.errors);
        }
    }

    /// What reads have passed since the last time.
    pub(crate) fn take_line_errors(&mut self) -> LineErrors {
        std::mem::take(&mut self.errors)
    }

    /// How many bytes of input there is room for.
    pub(crate) fn input_room(&self) -> usize {
        self.input.room()
    }

    /// Whether enough was read for a full buffer to be filled again.
    pub(crate) fn is_input_roomy(&self) -> bool {
        self.input.is_roomy()
    }

    /// Bytes from the device; what finds no room is lost.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        let taken = self.input.push(bytes);
        self.counts.input += taken as u64;
        let lost = bytes.len() - taken;
        self.counts.lost += lost as u64;
        if lost > 0 {
            self.mark(LineErrors {
                lost: u32::try_from(lost).unwrap_or(u32::MAX),
                ..LineErrors::default()
            });
        }
        self.signals.readable.set_due(self.is_readable());
    }

    /// A byte with a wrong parity or stop bit.
    pub(crate) fn arrive_damaged(&mut self, byte: u8) {
        let before = self.counts.input;
        self.arrive(&[byte]);
        // Where it found no room it is lost, and the one before it sound.
        if self.counts.input > before {
            self.counts.damaged += 1;
            self.mark(LineErrors {
                damaged: 1,
                ..LineErrors::default()
            });
        }
    }

    /// A break.
    pub(crate) fn arrive_break(&mut self) {
        self.counts.breaks += 1;
        self.mark(LineErrors {
            breaks: 1,
            ..LineErrors::default()
        });
    }

    fn mark(&mut self, errors: LineErrors) {
        let at = self.counts.input;
        let is_full = self.marks.len() == MARKS;
        match self.marks.back_mut() {
            Some(last) if is_full || last.at == at => {
                last.at = at;
                last.errors.add(errors);
            }
            _ => self.marks.push_back(Mark { at, errors }),
        }
        self.signals.readable.set_due(true);
    }

    /// How many bytes the device is to send.
    pub(crate) fn unsent(&self) -> usize {
        self.output.len()
    }

    /// What the device is to send next; empty where there is nothing.
    pub(crate) fn to_send(&self) -> &[u8] {
        self.output.front()
    }

    /// The device has taken so many bytes of [`to_send`](Self::to_send).
    pub(crate) fn sent(&mut self, count: usize) {
        self.output.consume(count);
        self.counts.output += count as u64;
        self.signals.writable.set_due(self.is_writable());
    }

    /// The device has vanished, and with it the output it was to take.
    pub(crate) fn vanish(&mut self) {
        let unsent = self.output.len();
        self.output.consume(unsent);
        self.counts.lost += unsent as u64;
        self.gone = true;
        self.tell_news();
    }

    /// The device is back.
    pub(crate) fn come_back(&mut self) {
        self.gone = false;
        self.tell_news();
    }

    /// The holder is to read, if only to be told of an error.
    pub(crate) fn tell_news(&mut self) {
        self.news = true;
        self.signals.readable.set_due(true);
        self.signals.writable.set_due(self.is_writable());
    }

    fn is_readable(&self) -> bool {
        !self.input.is_empty() || !self.marks.is_empty() || self.news
    }

    fn is_writable(&self) -> bool {
        self.short && self.output.is_roomy()
    }
}
