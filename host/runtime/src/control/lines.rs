//! Lines over a stream, bounded in length and in time.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const CHUNK: usize = 16 << 10;

/// A stream of lines. A deadline holds for a whole line: a peer that sends a
/// byte now and then does not push it out.
pub(super) struct Lines<'a> {
    stream: &'a UnixStream,
    /// What came after the latest line.
    buffer: Vec<u8>,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    #[error("the time is over")]
    TimedOut,
    #[error("{0}")]
    Stream(io::Error),
}

impl<'a> Lines<'a> {
    pub(super) fn new(stream: &'a UnixStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next line without its newline; `None` where the stream has ended.
    pub(super) fn read(
        &mut self,
        longest: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, LineError> {
        let mut searched = 0;
        loop {
            if let Some(length) = self.buffer[searched..]
                .iter()
                .position(|&byte| byte == b'\n')
            {
                let rest = self.buffer.split_off(searched + length + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return if line.len() < longest {
                    Ok(Some(line))
                } else {
                    Err(LineError::TooLong(longest))
                };
            }
            searched = self.buffer.len();
            if searched >= longest {
                return Err(LineError::TooLong(longest));
            }
            if self.fill(deadline)? == 0 {
                return Ok(None);
            }
        }
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &[u8], deadline: Instant) -> Result<(), LineError> {
        for part in [line, b"\n"] {
            let mut left = part;
            while !left.is_empty() {
                self.stream.set_write_timeout(Some(remaining(deadline)?))?;
                match self.stream.write(left) {
                    Ok(written) => left = &left[written..],
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, deadline: Instant) -> Result<usize, LineError> {
        let mut chunk = [0; CHUNK];
        loop {
            self.stream.set_read_timeout(Some(remaining(deadline)?))?;
            match self.stream.read(&mut chunk) {
                Ok(length) => {
                    self.buffer.extend_from_slice(&chunk[..length]);
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Never zero, which the operating system would take for "no limit".
fn remaining(deadline: Instant) -> Result<Duration, LineError> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(LineError::TimedOut),
        left => Ok(left.max(Duration::from_millis(1))),
    }
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Stream(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn lines_come_one_by_one_however_they_were_sent() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"one\ntwo\n\nfo").unwrap();
        let mut lines = Lines::new(&near);
        for expected in [&b"one"[..], b"two", b""] {
            assert_eq!(lines.read(10, soon()).unwrap().unwrap(), expected);
        }
        far.write_all(b"ur\nhalf").unwrap();
        drop(far);
        assert_eq!(lines.read(10, soon()).unwrap().unwrap(), b"four");
        assert_eq!(lines.read(10, soon()).unwrap(), None);
    }

    #[test]
    fn a_line_has_its_longest_length_with_or_without_an_end() {
        for sent in [&b"0123456789\n"[..], b"0123456789012"] {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(sent).unwrap();
            let read = Lines::new(&near).read(10, soon());
            assert!(matches!(read, Err(LineError::TooLong(10))), "{read:?}");
        }
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"012345678\n").unwrap();
        assert_eq!(
            Lines::new(&near).read(10, soon()).unwrap().unwrap(),
            b"012345678"
        );
    }

    #[test]
    fn silence_and_a_full_stream_end_at_the_deadline() {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(&near);
        let brief = || Instant::now() + Duration::from_millis(5);
        assert!(matches!(lines.read(10, brief()), Err(LineError::TimedOut)));
        assert!(matches!(
            lines.write(&vec![0; 16 << 20], brief()),
            Err(LineError::TimedOut)
        ));
    }
}
