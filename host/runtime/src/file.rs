//! Files that somebody else names.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{Error, Read as _, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What is in a regular file, up to one byte more than `limit`, also where it grows
/// meanwhile; and its size.
pub(crate) fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, u64)> {
    // Already to open a device may do something to it.
    regular(&fs::metadata(path)?)?;
    // What was put in its place since may be a pipe, which would wait for a writer.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(nonblocking).open(path)?;
    let meta = file.metadata()?;
    regular(&meta)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    let size = meta.len().max(bytes.len() as u64);
    Ok((bytes, size))
}

fn regular(meta: &Metadata) -> Result<()> {
    if meta.is_dir() {
        return Err(rustix::io::Errno::ISDIR.into());
    }
    if meta.is_file() {
        return Ok(());
    }
    Err(Error::other("it is no regular file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_only_so_far() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        for path in [&pipe, Path::new("/dev/zero")] {
            let error = read(path, 4).unwrap_err().to_string();
            assert_eq!(error, "it is no regular file");
        }
        let long = directory.path().join("long");
        fs::write(&long, "abcdefgh").unwrap();
        assert_eq!(read(&long, 4).unwrap(), (b"abcde".to_vec(), 8));
    }
}
