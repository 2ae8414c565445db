//! VCD, the value change dump of Verilog: a text that names variables and then
//! lists their changes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use vcd::Command;

use super::{Problem, TimeScale};

mod commands;
mod header;
mod levels;

pub(super) use levels::Levels;

use commands::Commands;
use header::Header;

/// Whether the file begins as a VCD does: with a keyword.
pub(super) fn is_vcd(file: &File) -> Result<bool, Problem> {
    let mut beginning = [0; 64];
    let read = match file.read_at(&mut beginning, 0) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            return Err(Problem::Unreadable(error));
        }
        result => result.unwrap_or(0),
    };
    Ok(beginning[..read].trim_ascii_start().starts_with(b"$"))
}

/// An open dump that was read through once.
#[derive(Debug)]
pub(super) struct Dump {
    file: Arc<File>,
    /// Of the file.
    length: u64,
    header: Header,
    /// Where the changes begin.
    body: commands::Place,
    /// The first and the last time.
    times: (u64, u64),
}

impl Dump {
    pub(super) fn open(file: Arc<File>, length: u64) -> Result<Self, Problem> {
        let mut commands = Commands::new(Arc::clone(&file), length, commands::Place::START);
        let header = Header::read(&mut commands)?;
        let body = commands.place();
        let times = verify(&mut commands, &header)?;
        Ok(Self {
            file,
            length,
            header,
            body,
            times,
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.header.names()
    }

    pub(super) fn position(&self, channel: &str) -> Option<usize> {
        self.header.position(channel)
    }

    pub(super) fn time_scale(&self) -> TimeScale {
        self.header.time_scale
    }

    pub(super) fn ticks(&self) -> u64 {
        self.times.1 - self.times.0
    }

    /// `None` where there is no such channel.
    pub(super) fn levels(&self, channel: &str) -> Option<Levels> {
        let id = self.header.id(self.position(channel)?);
        let commands = Commands::new(Arc::clone(&self.file), self.length, self.body);
        Some(Levels::new(commands, id, self.times.0))
    }
}

/// The first and the last time of a body that is as it should be.
fn verify(commands: &mut Commands, header: &Header) -> Result<(u64, u64), Problem> {
    let mut times = None;
    while let Some(command) = commands.next()? {
        match command {
            Command::Timestamp(at) => {
                let (first, last) = times.unwrap_or((at, at));
                if at < last {
                    return Err(commands.malformed(&format!("time goes back from {last} to {at}")));
                }
                times = Some((first, at));
            }
            Command::ChangeScalar(id, _)
            | Command::ChangeVector(id, _)
            | Command::ChangeReal(id, _)
            | Command::ChangeString(id, _) => {
                if !header.declares(id) {
                    return Err(commands.malformed(&format!(
                        "`{id}` changes, which the header does not declare"
                    )));
                }
            }
            Command::Begin(_) | Command::End(_) | Command::Comment(_) => {}
            _ => return Err(commands.malformed("a declaration stands behind the header")),
        }
    }
    times.ok_or_else(|| Problem::Damaged("it holds no times".to_owned()))
}
