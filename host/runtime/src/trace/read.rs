//! Reads traces. They come from outside: whatever is in one, it is at most refused.

use super::handlers::{self, Event};
use super::wire::{take_bytes, take_number};
use super::{CHUNK_MAX, ENDED, MAGIC, RETURNED, TRAPPED, VERSION, chunk, crossing};
use crate::engine::Digest;
use crate::file;
use loopgate_workloop::Instant;
use std::collections::BTreeMap;
use std::path::Path;

/// More drivers than any board has.
const DRIVERS_MAX: u64 = 4096;

/// A larger file is not read.
const FILE_MAX: u64 = 1 << 30;

/// A trace, whole or up to where it was cut.
pub struct Trace {
    bytes: Vec<u8>,
    begin: usize,
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file cannot be read.
    #[error("cannot read the trace `{path}`: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// It is another file.
    #[error("this is no trace of loopgate's; `loopgate run BOARD --record FILE` writes one")]
    Other,
    /// Another release wrote it.
    #[error(
        "the trace has version {found}, and this program reads version {VERSION}; replay it with the release that wrote it"
    )]
    Version {
        /// Its version.
        found: u64,
    },
    /// Something in it is not as it was written.
    #[error("the trace is damaged at byte {offset}; what is before that can be replayed")]
    Damaged {
        /// Where.
        offset: usize,
    },
}

/// A handler that was called, or an instance that was made, with all the calls of the
/// host in it.
pub struct Entry<'a> {
    driver: &'a str,
    generation: u64,
    time: Instant,
    pub(super) body: Body,
    pub(super) calls: Vec<Called<'a>>,
    pub(super) end: u8,
    /// As it was written; nothing for an instance.
    pub(super) answer: &'a [u8],
    bytes: &'a [u8],
}

pub(super) enum Body {
    Instance {
        digest: Digest,
        limits: [u64; 4],
    },
    Handler {
        number: u8,
        event: Event,
    },
    /// What follows of the instance is missing.
    Lost,
}

/// A call that a driver made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Called<'a> {
    pub(super) number: u8,
    pub(super) arguments: &'a [u8],
    pub(super) end: u8,
    pub(super) answer: &'a [u8],
}

/// What a driver asked for that its board can grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A pin.
    Pin {
        /// The driver's name for it.
        name: String,
        /// Whether to drive it.
        output: bool,
    },
    /// A serial port.
    Port(String),
    /// A device on an I2C bus.
    I2c(String),
    /// A device on an SPI bus.
    Spi(String),
    /// Another driver's service.
    Service(String),
    /// To publish a service.
    Publish(String),
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no trace of this version.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let unreadable = |cause| TraceError::Unreadable {
            path: path.display().to_string(),
            cause,
        };
        let (bytes, size) = file::read(path, FILE_MAX).map_err(unreadable)?;
        if size > FILE_MAX {
            let cause = format!("it has {size} bytes, more than the {FILE_MAX} that are read");
            return Err(unreadable(std::io::Error::other(cause)));
        }
        Self::parse(bytes)
    }

    /// What a [`Recorder`](super::Recorder) wrote.
    ///
    /// # Errors
    /// It is no trace of this version.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, TraceError> {
        let rest = bytes.strip_prefix(MAGIC);
        let mut rest = rest.ok_or(TraceError::Other)?;
        let found = take_number(&mut rest).ok_or(TraceError::Other)?;
        if found != VERSION {
            return Err(TraceError::Version { found });
        }
        let begin = bytes.len() - rest.len();
        Ok(Self { bytes, begin })
    }

    /// As it was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What happened, in the order in which handlers returned.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            trace: self,
            rest: &self.bytes[self.begin..],
            names: BTreeMap::new(),
            only: None,
            is_whole: false,
        }
    }

    /// What happened to one driver. Of others only the begin of each chunk is looked at.
    pub fn entries_of<'a>(&'a self, driver: &'a str) -> Entries<'a> {
        Entries {
            only: Some(driver),
            ..self.entries()
        }
    }

    /// The drivers, as their board calls them, in the order of their names.
    pub fn drivers(&self) -> Vec<&str> {
        let mut entries = self.entries_of("");
        // What is damaged further on is told when it is come to.
        while let Some(Ok(_)) = entries.next() {}
        let mut names: Vec<_> = entries.names.into_values().collect();
        names.sort_unstable();
        names
    }

    fn offset(&self, rest: &[u8]) -> usize {
        self.bytes.len() - rest.len()
    }
}

/// What a piece of a trace is.
enum Chunk<'a> {
    Entry(Entry<'a>),
    /// Nothing that happened.
    Aside,
}

/// Goes through a trace.
pub struct Entries<'a> {
    trace: &'a Trace,
    rest: &'a [u8],
    names: BTreeMap<u64, &'a str>,
    only: Option<&'a str>,
    is_whole: bool,
}

impl<'a> Entries<'a> {
    /// Once there is nothing more: whether the recording was ended, and not cut.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn chunk(&mut self, mut body: &'a [u8]) -> Option<Chunk<'a>> {
        let bytes = body;
        let (&kind, rest) = body.split_first()?;
        body = rest;
        if kind == chunk::END {
            self.is_whole = true;
            return Some(Chunk::Aside);
        }
        let driver = take_number(&mut body)?;
        if kind == chunk::DRIVER {
            let name = std::str::from_utf8(take_bytes(&mut body)?).ok()?;
            // Numbers come in order, and no board has so many.
            if driver != self.names.len() as u64 || driver >= DRIVERS_MAX {
                return None;
            }
            self.names.insert(driver, name);
            return Some(Chunk::Aside);
        }
        let name = *self.names.get(&driver)?;
        if self.only.is_some_and(|only| only != name) {
            return Some(Chunk::Aside);
        }
        let mut entry = Entry {
            driver: name,
            generation: 0,
            time: Instant::ZERO,
            body: Body::Lost,
            calls: Vec::new(),
            end: RETURNED,
            answer: &[],
            bytes,
        };
        if kind == chunk::LOST {
            return Some(Chunk::Entry(entry));
        }
        entry.generation = take_number(&mut body)?;
        entry.time = Instant::from_nanos(take_number(&mut body)?);
        entry.body = match kind {
            chunk::INSTANCE => {
                let (digest, rest) = body.split_first_chunk()?;
                body = rest;
                let mut limits = [0; 4];
                for limit in &mut limits {
                    *limit = take_number(&mut body)?;
                }
                let digest = *digest;
                Body::Instance { digest, limits }
            }
            chunk::HANDLER => {
                let (&number, rest) = body.split_first()?;
                body = rest;
                let event = Event::take(number, &mut body)?;
                Body::Handler { number, event }
            }
            _ => return None,
        };
        entry.calls = calls(&mut body)?;
        (entry.end, entry.answer) = end(&mut body, |input| match &entry.body {
            Body::Handler { number, .. } => handlers::show_answer(*number, input).map(drop),
            _ => Some(()),
        })?;
        body.is_empty().then_some(Chunk::Entry(entry))
    }
}

fn calls<'a>(body: &mut &'a [u8]) -> Option<Vec<Called<'a>>> {
    let mut calls = Vec::new();
    loop {
        let (&number, rest) = body.split_first()?;
        *body = rest;
        if number == 0 {
            return Some(calls);
        }
        let arguments = span(body, |input| {
            crossing::show_arguments(number, input).map(drop)
        })?;
        let (end, answer) = end(body, |input| crossing::show_answer(number, input).map(drop))?;
        calls.push(Called {
            number,
            arguments,
            end,
            answer,
        });
    }
}

/// How a call ended, and its answer.
fn end<'a>(
    body: &mut &'a [u8],
    answer: impl FnOnce(&mut &[u8]) -> Option<()>,
) -> Option<(u8, &'a [u8])> {
    let (&how, rest) = body.split_first()?;
    *body = rest;
    match how {
        RETURNED => Some((how, span(body, answer)?)),
        TRAPPED | ENDED => Some((how, &[])),
        _ => None,
    }
}

/// What `take` takes.
fn span<'a>(body: &mut &'a [u8], take: impl FnOnce(&mut &[u8]) -> Option<()>) -> Option<&'a [u8]> {
    let mut rest = *body;
    take(&mut rest)?;
    let (taken, _) = body.split_at(body.len() - rest.len());
    *body = rest;
    Some(taken)
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut rest = self.rest;
            let offset = self.trace.offset(rest);
            let length = take_number(&mut rest)?;
            let chunk = if length <= CHUNK_MAX as u64 {
                // Cut here, or at its end.
                let (body, rest) = rest.split_at_checked(length as usize)?;
                self.rest = rest;
                self.chunk(body)
            } else {
                None
            };
            match chunk {
                Some(Chunk::Entry(entry)) => return Some(Ok(entry)),
                Some(Chunk::Aside) => {}
                None => {
                    self.rest = &[];
                    return Some(Err(TraceError::Damaged { offset }));
                }
            }
        }
    }
}

impl<'a> Entry<'a> {
    /// The driver, as its board calls it.
    pub fn driver(&self) -> &'a str {
        self.driver
    }

    /// Which of its instances; the first is 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When it began, by the board's clock.
    pub fn time(&self) -> Instant {
        self.time
    }

    /// The handler as the contract calls it; `instantiate` where an instance was made,
    /// and `lost` where what follows of the driver's instance is missing.
    pub fn handler(&self) -> &'static str {
        match &self.body {
            Body::Instance { .. } => "instantiate",
            Body::Handler { event, .. } => event.name(),
            Body::Lost => "lost",
        }
    }

    /// What it was called with, in words.
    pub fn arguments(&self) -> String {
        let mut to = String::new();
        if let Body::Handler { event, .. } = &self.body {
            event.show(&mut to);
        }
        to
    }

    /// What it returned, in words; `None` where it did not return.
    pub fn answer(&self) -> Option<String> {
        (self.end == RETURNED).then(|| self.in_words(self.answer))
    }

    /// Another answer of the same handler, in words.
    pub(super) fn in_words(&self, mut answer: &[u8]) -> String {
        let words = match &self.body {
            Body::Handler { number, .. } => handlers::show_answer(*number, &mut answer),
            Body::Instance { .. } | Body::Lost => None,
        };
        words.unwrap_or_default()
    }

    /// Whether the host ended it, for a limit.
    pub fn was_ended(&self) -> bool {
        self.end == ENDED
    }

    /// What it called, in order.
    pub fn calls(&self) -> &[Called<'a>] {
        &self.calls
    }

    /// As it was written: the same where the same happened.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl Called<'_> {
    /// The function with its interface, for example `gpio.pin.set`.
    pub fn name(&self) -> &'static str {
        crossing::name(self.number).unwrap_or_default()
    }

    /// In words.
    pub fn arguments(&self) -> String {
        crossing::show_arguments(self.number, &mut &*self.arguments).unwrap_or_default()
    }

    /// In words; `None` where it ended the driver.
    pub fn answer(&self) -> Option<String> {
        if self.end != RETURNED {
            return None;
        }
        crossing::show_answer(self.number, &mut &*self.answer)
    }

    /// Whether it was answered with an error.
    pub fn has_failed(&self) -> bool {
        self.answer()
            .is_some_and(|answer| answer.starts_with("error "))
    }

    /// Whether [`Faults`](super::Faults) have it fail.
    pub fn can_fail(&self) -> bool {
        crossing::can_fail(self.number)
    }

    /// What it asks the board for, where it does.
    pub fn asked(&self) -> Option<Asked> {
        crossing::asked(self.number, &mut &*self.arguments)
    }
}

impl std::fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name(), self.arguments())?;
        match self.answer() {
            None => f.write_str(" ended the driver"),
            Some(answer) if answer.is_empty() => Ok(()),
            Some(answer) => write!(f, " -> {answer}"),
        }
    }
}

impl std::fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.handler(), self.arguments())?;
        match self.answer() {
            None => f.write_str(" ended the driver"),
            Some(answer) if answer.is_empty() => Ok(()),
            Some(answer) => write!(f, " -> {answer}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::put_number;
    use super::*;

    fn trace(chunks: &[&[u8]]) -> Trace {
        let mut bytes = MAGIC.to_vec();
        put_number(VERSION, &mut bytes);
        for chunk in chunks {
            put_number(chunk.len() as u64, &mut bytes);
            bytes.extend_from_slice(chunk);
        }
        Trace::parse(bytes).unwrap_or_else(|error| panic!("{error}"))
    }

    const NAME: &[u8] = &[chunk::DRIVER, 0, 1, b'a'];
    /// `stop`, at 5 ns, with one call of `work-loop.now`.
    const STOP: &[u8] = &[chunk::HANDLER, 0, 1, 5, 2, 20, RETURNED, 9, 0, RETURNED];

    #[test]
    fn a_chunk_is_read_as_the_document_has_it() {
        let trace = trace(&[NAME, STOP, &[chunk::LOST, 0], &[chunk::END]]);
        let mut entries = trace.entries();
        let stop = entries.next().unwrap().unwrap();
        assert_eq!(
            (stop.driver(), stop.generation(), stop.time().as_nanos()),
            ("a", 1, 5)
        );
        assert_eq!(stop.to_string(), "stop()");
        assert_eq!(stop.calls()[0].to_string(), "work-loop.now() -> 9");
        assert_eq!(entries.next().unwrap().unwrap().handler(), "lost");
        assert!(entries.next().is_none() && entries.is_whole());
    }

    #[test]
    fn what_cannot_be_is_damaged_and_ends_it() {
        let long = [STOP, &[0]].concat();
        let unknown = [&STOP[..5], &[19], &STOP[6..]].concat();
        for chunk in [
            &long[..],
            &unknown,
            &[9, 0],
            &[],
            &[chunk::HANDLER, 7, 1, 5, 2, 0, 0],
        ] {
            let trace = trace(&[NAME, chunk, STOP]);
            let mut entries = trace.entries();
            let error = entries.next().unwrap().err().unwrap();
            assert!(
                matches!(error, TraceError::Damaged { offset: 20 }),
                "{error}"
            );
            assert!(entries.next().is_none() && !entries.is_whole());
        }
    }

    #[test]
    fn a_length_that_no_chunk_has_is_damage_and_no_cut() {
        let cut = |length: usize| {
            let mut whole = trace(&[NAME]);
            put_number(length as u64, &mut whole.bytes);
            whole.entries().next().map(|entry| entry.is_err())
        };
        assert_eq!(cut(CHUNK_MAX), None);
        assert_eq!(cut(CHUNK_MAX + 1), Some(true));
    }
}
