//! Lines out of a stream of bytes.

/// Cuts a stream of bytes into lines, whatever pieces it arrives in. Its memory
/// is bounded: lines that are too long are dropped, and the next one is whole
/// again.
///
/// A line ends with a line feed or a carriage return, and comes without it;
/// empty lines are left out. It may hold any bytes: what a line means, and
/// whether it is whole, is for its reader to check.
#[derive(Clone, Debug)]
pub struct LineReader {
    line: Vec<u8>,
    max: usize,
    start: Option<u8>,
    state: State,
    dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// Until the next line begins.
    Skipping,
    /// `line` was handed out.
    Done,
}

impl LineReader {
    /// Takes lines of at most `max` bytes.
    pub fn new(max: usize) -> Self {
        Self {
            line: Vec::with_capacity(max),
            max,
            start: None,
            state: State::Reading,
            dropped: 0,
        }
    }

    /// Every line begins with `byte`, which occurs nowhere else in it, as the
    /// `$` of NMEA. Then noise without line ends before a line does not cost
    /// that line: what precedes `byte` is dropped.
    #[must_use]
    pub fn starting_with(mut self, byte: u8) -> Self {
        self.start = Some(byte);
        self.state = State::Skipping;
        self
    }

    /// Takes `bytes`, and calls `each` with every line that ends in them.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for &byte in bytes {
            if let Some(line) = self.push_byte(byte) {
                each(line);
            }
        }
    }

    /// Takes one byte, and returns the line that it ends.
    pub fn push_byte(&mut self, byte: u8) -> Option<&[u8]> {
        if self.state == State::Done {
            self.restart();
        }
        if self.start == Some(byte) {
            self.drop_line();
            self.state = State::Reading;
        }
        match (byte, self.state) {
            (b'\n' | b'\r', State::Reading) if !self.line.is_empty() => {
                self.state = State::Done;
                return Some(&self.line);
            }
            (b'\n' | b'\r', _) => self.restart(),
            (_, State::Reading) if self.line.len() < self.max => self.line.push(byte),
            (_, State::Reading) => {
                self.drop_line();
                self.dropped += 1;
                self.state = State::Skipping;
            }
            (_, State::Skipping | State::Done) => self.dropped += 1,
        }
        None
    }

    /// How many bytes were dropped so far, as too long a line or before the
    /// byte that lines start with.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets the line that has begun, for example after bytes were lost.
    pub fn clear(&mut self) {
        self.drop_line();
        self.state = State::Skipping;
    }

    fn restart(&mut self) {
        self.line.clear();
        self.state = match self.start {
            Some(_) => State::Skipping,
            None => State::Reading,
        };
    }

    fn drop_line(&mut self) {
        self.dropped += self.line.len() as u64;
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reader: &mut LineReader, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        reader.push(bytes, |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
        });
        lines
    }

    #[test]
    fn pieces_and_line_ends_of_all_kinds() {
        let mut reader = LineReader::new(8);
        assert_eq!(lines(&mut reader, b"one\r\ntw"), ["one"]);
        assert_eq!(lines(&mut reader, b"o\n\n\rthree\rrest"), ["two", "three"]);
        assert_eq!(reader.dropped(), 0);
    }

    #[test]
    fn the_line_after_one_that_is_too_long_is_whole() {
        let mut reader = LineReader::new(4);
        assert_eq!(lines(&mut reader, b"1234\n12345\nnext\n"), ["1234", "next"]);
        assert_eq!(reader.dropped(), 5);
        assert!(lines(&mut reader, &[b'x'; 10_000]).is_empty());
        assert_eq!(reader.line.capacity(), 4);
    }

    #[test]
    fn what_precedes_the_first_byte_of_a_line_costs_nothing() {
        let mut reader = LineReader::new(8).starting_with(b'$');
        assert_eq!(
            lines(&mut reader, b"tail\n\xff\0noise of any length$GPA\r\n"),
            ["$GPA"]
        );
        assert_eq!(lines(&mut reader, b"$GPB cut off$GPC\n"), ["$GPC"]);
        assert_eq!(lines(&mut reader, b"$GP far too long$GPD\n\n"), ["$GPD"]);
    }

    #[test]
    fn after_a_clear_the_rest_of_the_line_is_dropped() {
        let mut reader = LineReader::new(8);
        assert!(lines(&mut reader, b"beg").is_empty());
        reader.clear();
        assert_eq!(lines(&mut reader, b"un\nnext\n"), ["next"]);
    }
}
