//! The file that a recording lies in, and parts of it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{MAX_FILE_BYTES, Problem};

/// A range of a file as a reader with a position of its own.
#[derive(Debug)]
pub(super) struct Section {
    file: Arc<File>,
    start: u64,
    length: u64,
    position: u64,
}

/// Opens a file of a size that is read, and says which.
pub(super) fn open_regular(path: &Path) -> Result<(Arc<File>, u64), Problem> {
    // Before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(Problem::Unreadable)?.is_file() {
        return Err(Problem::Malformed("it is not a regular file".to_owned()));
    }
    let file = File::open(path).map_err(Problem::Unreadable)?;
    let length = file.metadata().map_err(Problem::Unreadable)?.len();
    if length > MAX_FILE_BYTES {
        return Err(Problem::TooLarge(format!(
            "it has {length} bytes and at most {MAX_FILE_BYTES} are read"
        )));
    }
    Ok((Arc::new(file), length))
}

impl Section {
    pub(super) fn new(file: Arc<File>, start: u64, length: u64) -> Self {
        Self {
            file,
            start,
            length,
            position: 0,
        }
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let offset = self.start.saturating_add(self.position);
        let read = self.file.read_at(&mut buffer[..wanted], offset)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(delta) => self.length.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
