//! The parts of a recording as one stream of whole samples, verified on the
//! way.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::super::file::Section;
use super::Problem;
use super::archive::Part;

/// What is decompressed at a time. Every sample is at most 8 bytes long, so
/// this is a whole number of samples or nearly so.
const CHUNK_BYTES: usize = 64 << 10;

/// A stream of samples: [`fill`](Samples::fill), then look at
/// [`chunk`](Samples::chunk), then [`consume`](Samples::consume).
#[derive(Debug)]
pub(in super::super) struct Samples {
    file: Arc<File>,
    parts: Arc<[Part]>,
    unit: usize,
    /// The part to open next.
    next: usize,
    part: Option<PartReader>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Samples {
    pub(super) fn new(file: Arc<File>, parts: Arc<[Part]>, unit: usize) -> Self {
        let buffer = vec![0; CHUNK_BYTES].into_boxed_slice();
        Self {
            file,
            parts,
            unit,
            next: 0,
            part: None,
            buffer,
            start: 0,
            end: 0,
        }
    }

    /// The samples at hand, whole ones only.
    pub(in super::super) fn chunk(&self) -> &[u8] {
        let length = self.end - self.start;
        &self.buffer[self.start..self.end - length % self.unit]
    }

    /// Drops `bytes` from the beginning of the chunk.
    pub(in super::super) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// Gets more samples; false at the end. Keeps what was not consumed, so
    /// at least that much room must have been made.
    pub(in super::super) fn fill(&mut self) -> Result<bool, Problem> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.chunk().is_empty() {
            if self.part.is_none() && !self.open_next() {
                return Ok(false);
            }
            if let Some(part) = &mut self.part {
                match part.read(&mut self.buffer[self.end..])? {
                    0 => self.part = None,
                    read => self.end += read,
                }
            }
        }
        Ok(true)
    }

    fn open_next(&mut self) -> bool {
        let Some(part) = self.parts.get(self.next) else {
            return false;
        };
        self.next += 1;
        self.part = Some(PartReader::new(Arc::clone(&self.file), part.clone()));
        true
    }
}

/// One part, decompressed. It holds exactly as much as the directory says, or
/// reading it fails.
struct PartReader {
    part: Part,
    decoder: Decoder,
    crc: Crc,
    left: u64,
}

enum Decoder {
    Stored(Section),
    Deflated(Box<DeflateDecoder<BufReader<Section>>>),
}

impl PartReader {
    fn new(file: Arc<File>, part: Part) -> Self {
        let section = Section::new(file, part.start, part.stored);
        let decoder = if part.deflated {
            Decoder::Deflated(Box::new(DeflateDecoder::new(BufReader::new(section))))
        } else {
            Decoder::Stored(section)
        };
        Self {
            decoder,
            crc: Crc::new(),
            left: part.size,
            part,
        }
    }

    /// 0 at the end, which is the right one and at which the checksum agrees.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Problem> {
        if self.left == 0 {
            self.check_end()?;
            return Ok(0);
        }
        let wanted = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.decode(|decoder| decoder.read(&mut buffer[..wanted]))?;
        if read == 0 {
            return Err(self.damaged(&format!("ends {} bytes early", self.left)));
        }
        self.crc.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }

    fn check_end(&mut self) -> Result<(), Problem> {
        if self.decode(|decoder| decoder.read(&mut [0]))? != 0 {
            let size = self.part.size;
            return Err(self.damaged(&format!("goes on after the {size} bytes that it declares")));
        }
        if self.crc.sum() != self.part.crc {
            return Err(self.damaged("does not have the checksum that it declares"));
        }
        Ok(())
    }

    fn decode<R>(&mut self, f: impl FnOnce(&mut dyn Read) -> io::Result<R>) -> Result<R, Problem> {
        let result = match &mut self.decoder {
            Decoder::Stored(section) => f(section),
            Decoder::Deflated(decoder) => f(decoder),
        };
        result.map_err(|error| match error.kind() {
            // What a broken deflate stream ends in; the rest is the device's.
            io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData
            | io::ErrorKind::UnexpectedEof => {
                self.damaged(&format!("cannot be decompressed ({error})"))
            }
            _ => Problem::Unreadable(error),
        })
    }

    fn damaged(&self, how: &str) -> Problem {
        Problem::Damaged(format!("its part `{}` {how}", self.part.name))
    }
}

impl fmt::Debug for PartReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartReader")
            .field("part", &self.part)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
