//! A file's commands, each of a bounded size.
//!
//! The parser collects a command's text in memory, however long it is. What it
//! reads from therefore ends after as many bytes as one command may have.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use vcd::{Command, ParseError, Parser};

use super::super::file::Section;
use super::super::{MAX_COMMAND_BYTES, Problem};

pub(super) struct Commands {
    parser: Parser<Bounded>,
    begin: Place,
}

/// Between two commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    lines: u64,
}

/// Ends after `left` bytes, with an error.
struct Bounded {
    reader: BufReader<Section>,
    left: u64,
    read: u64,
}

impl Place {
    pub(super) const START: Self = Self {
        offset: 0,
        lines: 0,
    };
}

impl Commands {
    /// The commands from `begin` to the end of a file of `length` bytes.
    pub(super) fn new(file: Arc<File>, length: u64, begin: Place) -> Self {
        let left = length.saturating_sub(begin.offset);
        let section = Section::new(file, begin.offset, left);
        let reader = Bounded {
            reader: BufReader::with_capacity(64 << 10, section),
            left: 0,
            read: 0,
        };
        Self {
            parser: Parser::new(reader),
            begin,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Command>, Problem> {
        self.parser.reader().left = MAX_COMMAND_BYTES;
        let command = self.parser.next().transpose();
        command.map_err(|error| self.problem(error))
    }

    /// Behind the last command.
    pub(super) fn place(&mut self) -> Place {
        Place {
            offset: self.begin.offset + self.parser.reader().read,
            lines: self.begin.lines + self.parser.line() - 1,
        }
    }

    /// What is wrong with the last command.
    pub(super) fn malformed(&mut self, how: &str) -> Problem {
        Problem::Malformed(format!("in line {}, {how}", self.line()))
    }

    fn line(&mut self) -> u64 {
        self.place().lines + 1
    }

    fn problem(&mut self, error: io::Error) -> Problem {
        let inner = error.get_ref();
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<ParseError>()) {
            return self.malformed(&error.kind().to_string());
        }
        let line = self.line();
        if self.parser.reader().left == 0 {
            return Problem::TooLarge(format!(
                "a command that ends in line {line} or later has more than the \
                 {MAX_COMMAND_BYTES} bytes that are read"
            ));
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Problem::Damaged(format!(
                "it ends within line {line}, in the middle of a command or without a line end"
            )),
            _ => Problem::Unreadable(error),
        }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the command is too long"));
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let wanted = wanted.min(buffer.len());
        let read = self.reader.read(&mut buffer[..wanted])?;
        self.consumed(read);
        Ok(read)
    }
}

/// As the parser asks for it, which only ever reads bytes.
impl BufRead for Bounded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        self.consumed(amount);
    }
}

impl Bounded {
    fn consumed(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
        self.read += bytes as u64;
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands")
            .field("begin", &self.begin)
            .finish_non_exhaustive()
    }
}
