//! The sigrok session format: a zip with `metadata`, and the samples in
//! `logic-1` or, in order, in `logic-1-1`, `logic-1-2` and so on.

use std::fs::File;
use std::sync::Arc;

use super::{MAX_EXPANDED_BYTES, MAX_METADATA_BYTES, Problem, TimeScale};

mod archive;
mod levels;
mod metadata;
mod samples;

pub(super) use levels::Levels;

use archive::{Archive, Part};
use metadata::Metadata;
use samples::Samples;

/// An open session whose samples were read through once.
#[derive(Debug)]
pub(super) struct Session {
    file: Arc<File>,
    metadata: Metadata,
    parts: Arc<[Part]>,
    samples: u64,
}

impl Session {
    pub(super) fn open(file: Arc<File>) -> Result<Self, Problem> {
        let mut archive = Archive::open(Arc::clone(&file))?;
        let metadata = read_metadata(&file, &mut archive)?;
        let parts = find_samples(&mut archive, &metadata.capture_file)?;
        let samples = count_samples(&parts, metadata.unit)?;
        let session = Self {
            file,
            metadata,
            parts: parts.into(),
            samples,
        };
        session.verify()?;
        Ok(session)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let channels = self.metadata.channels.iter();
        channels.map(|channel| channel.name.as_str())
    }

    pub(super) fn sample_rate(&self) -> u64 {
        self.metadata.sample_rate
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// A tick is a sample.
    pub(super) fn time_scale(&self) -> TimeScale {
        TimeScale {
            nanos: 1_000_000_000,
            ticks: self.metadata.sample_rate,
        }
    }

    /// `None` where there is no such channel.
    pub(super) fn levels(&self, channel: &str) -> Option<Levels> {
        let channels = &self.metadata.channels;
        let channel = channels.iter().find(|known| known.name == channel)?;
        Some(Levels::new(self.read(), self.metadata.unit, channel.bit))
    }

    fn read(&self) -> Samples {
        let (file, parts) = (Arc::clone(&self.file), Arc::clone(&self.parts));
        Samples::new(file, parts, self.metadata.unit)
    }

    fn verify(&self) -> Result<(), Problem> {
        let mut samples = self.read();
        while samples.fill()? {
            samples.consume(samples.chunk().len());
        }
        Ok(())
    }
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
