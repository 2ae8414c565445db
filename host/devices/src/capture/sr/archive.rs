//! The zip around a session: where each part lies.
//!
//! Parts are decompressed by [`Samples`](super::Samples) and not by the zip
//! crate, whose readers borrow the archive: a stream of edges has to own what
//! it reads from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::super::file::Section;
use super::Problem;

/// A part of the archive, as the archive's directory has it: to be verified.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) deflated: bool,
    /// Where its data begin in the file.
    pub(super) start: u64,
    /// Its length in the file.
    pub(super) stored: u64,
    /// Its length when expanded.
    pub(super) size: u64,
    pub(super) crc: u32,
}

pub(super) struct Archive {
    zip: ZipArchive<io::BufReader<Section>>,
}

impl Archive {
    pub(super) fn open(file: Arc<File>) -> Result<Self, Problem> {
        let length = file.metadata().map_err(Problem::Unreadable)?.len();
        refuse_other_formats(&file)?;
        refuse_zip64(&file, length)?;
        let reader = io::BufReader::new(Section::new(file, 0, length));
        let config = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let zip = ZipArchive::with_config(config, reader).map_err(|error| match error {
            ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Problem::Unreadable(error)
            }
            error => Problem::Damaged(format!("it is no whole zip archive ({error})")),
        })?;
        Ok(Self { zip })
    }

    /// The part called `name`, if there is one.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Part>, Problem> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let entry = self.zip.by_index_raw(index).map_err(|error| {
            Problem::Damaged(format!(
                "the beginning of its part `{name}` is not there ({error})"
            ))
        })?;
        let deflated = is_deflated(entry.compression(), entry.encrypted())
            .map_err(|how| Problem::Malformed(format!("its part `{name}` is {how}")))?;
        let Some(start) = entry.data_start() else {
            return Err(Problem::Damaged(format!("its part `{name}` has no data")));
        };
        Ok(Some(Part {
            name: name.to_owned(),
            deflated,
            start,
            stored: entry.compressed_size(),
            size: entry.size(),
            crc: entry.crc32(),
        }))
    }

    /// How many parts are called `name` with a hyphen and a number.
    pub(super) fn count_numbered(&self, name: &str) -> usize {
        let is_numbered = |candidate: &[u8]| {
            candidate
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"-"))
                .is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
        };
        self.zip
            .file_names_raw()
            .filter(|candidate| is_numbered(candidate))
            .count()
    }
}

fn is_deflated(method: CompressionMethod, encrypted: bool) -> Result<bool, String> {
    match method {
        _ if encrypted => Err("encrypted".to_owned()),
        CompressionMethod::Stored => Ok(false),
        CompressionMethod::Deflated => Ok(true),
        other => Err(format!(
            "compressed by a method that no `.sr` uses ({other})"
        )),
    }
}

/// Tells a file that never was a session from one that was cut short.
fn refuse_other_formats(file: &File) -> Result<(), Problem> {
    const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";
    let mut magic = [0; LOCAL_HEADER.len()];
    match file.read_exact_at(&mut magic, 0) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(Problem::Unreadable(error))
        }
        Ok(()) if magic == *LOCAL_HEADER => Ok(()),
        _ => Err(Problem::Malformed(
            "it is neither VCD nor a sigrok session, a zip archive with anything in it".to_owned(),
        )),
    }
}

/// Refuses the 64-bit extension, which no recording within the limits needs:
/// without it an archive has at most 65,535 parts, which bounds what the zip
/// crate allocates for its directory. The extension is found by a record just
/// before the directory's end, which lies in the last 64 KiB and a little.
fn refuse_zip64(file: &File, length: u64) -> Result<(), Problem> {
    const LOCATOR: &[u8] = b"PK\x06\x07";
    const TAIL: u64 = (1 << 16) + 22 + 20;
    let start = length.saturating_sub(TAIL);
    let mut tail = vec![0; (length - start) as usize];
    file.read_exact_at(&mut tail, start)
        .map_err(Problem::Unreadable)?;
    if tail.windows(LOCATOR.len()).any(|window| window == LOCATOR) {
        return Err(Problem::Malformed("it is a 64-bit zip archive".to_owned()));
    }
    Ok(())
}
