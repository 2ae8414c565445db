//! The sigrok session format: a zip with `metadata`, and the samples in
//! `logic-1` or, in order, in `logic-1-1`, `logic-1-2` and so on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{Error, MAX_EXPANDED_BYTES, MAX_FILE_BYTES, MAX_METADATA_BYTES, Problem};

mod archive;
mod metadata;
mod samples;

pub(super) use metadata::Channel;
pub(super) use samples::Samples;

use archive::{Archive, Part};
use metadata::Metadata;

/// An open session whose samples were read through once.
#[derive(Debug)]
pub(super) struct Session {
    path: PathBuf,
    file: Arc<File>,
    metadata: Metadata,
    parts: Arc<[Part]>,
    samples: u64,
    fault: OnceLock<Error>,
}

impl Session {
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let file = open_regular(path)?;
        let mut archive = Archive::open(Arc::clone(&file))?;
        let metadata = read_metadata(&file, &mut archive)?;
        let parts = find_samples(&mut archive, &metadata.capture_file)?;
        let samples = count_samples(&parts, metadata.unit)?;
        let session = Self {
            path: path.to_owned(),
            file,
            metadata,
            parts: parts.into(),
            samples,
            fault: OnceLock::new(),
        };
        session.verify()?;
        Ok(session)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn channels(&self) -> &[Channel] {
        &self.metadata.channels
    }

    pub(super) fn sample_rate(&self) -> u64 {
        self.metadata.sample_rate
    }

    /// Bytes a sample.
    pub(super) fn unit(&self) -> usize {
        self.metadata.unit
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    pub(super) fn read(&self) -> Samples {
        Samples::new(Arc::clone(&self.file), Arc::clone(&self.parts), self.unit())
    }

    pub(super) fn fault(&self) -> Option<&Error> {
        self.fault.get()
    }

    pub(super) fn set_fault(&self, problem: Problem) {
        // The first one tells most.
        let _ = self.fault.set(problem.of(&self.path));
    }

    fn verify(&self) -> Result<(), Problem> {
        let mut samples = self.read();
        while samples.fill()? {
            samples.consume(samples.chunk().len());
        }
        Ok(())
    }
}

fn open_regular(path: &Path) -> Result<Arc<File>, Problem> {
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
    Ok(Arc::new(file))
}

fn read_metadata(file: &Arc<File>, archive: &mut Archive) -> Result<Metadata, Problem> {
    let Some(part) = archive.part("metadata")? else {
        return Err(Problem::Malformed("it holds no `metadata`".to_owned()));
    };
    if part.size > MAX_METADATA_BYTES {
        return Err(Problem::TooLarge(format!(
            "its `metadata` has {} bytes and at most {MAX_METADATA_BYTES} are read",
            part.size
        )));
    }
    let mut samples = Samples::new(Arc::clone(file), Arc::new([part]), 1);
    let mut text = Vec::new();
    while samples.fill()? {
        text.extend_from_slice(samples.chunk());
        samples.consume(samples.chunk().len());
    }
    Metadata::parse(&text)
}

fn find_samples(archive: &mut Archive, name: &str) -> Result<Vec<Part>, Problem> {
    if let Some(part) = archive.part(name)? {
        return Ok(vec![part]);
    }
    let numbered = archive.count_numbered(name);
    let mut parts = Vec::new();
    for number in 1..=numbered {
        let part_name = format!("{name}-{number}");
        match archive.part(&part_name)? {
            Some(part) => parts.push(part),
            None => {
                return Err(Problem::Damaged(format!(
                    "of the samples, {numbered} parts are there but not `{part_name}`"
                )));
            }
        }
    }
    Ok(parts)
}

fn count_samples(parts: &[Part], unit: usize) -> Result<u64, Problem> {
    let bytes = parts
        .iter()
        .fold(0_u64, |sum, part| sum.saturating_add(part.size));
    if bytes > MAX_EXPANDED_BYTES {
        return Err(Problem::TooLarge(format!(
            "its samples expand to {bytes} bytes and at most {MAX_EXPANDED_BYTES} are read"
        )));
    }
    if bytes == 0 {
        return Err(Problem::Damaged("it holds no samples".to_owned()));
    }
    let unit = unit as u64;
    if bytes % unit != 0 {
        return Err(Problem::Damaged(format!(
            "its {bytes} bytes of samples are no multiple of the {unit} bytes a sample"
        )));
    }
    Ok(bytes / unit)
}
