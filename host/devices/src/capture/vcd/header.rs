//! What the header declares: the time scale, and variables in scopes.

use std::collections::{HashMap, HashSet};

use vcd::{Command, IdCode, TimescaleUnit, VarType};

use super::super::{
    MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_VARIABLES, Problem, TimeScale,
};
use super::commands::Commands;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) time_scale: TimeScale,
    channels: Vec<Channel>,
    /// Of every variable.
    ids: HashSet<IdCode>,
}

/// A variable of one bit.
#[derive(Debug)]
struct Channel {
    /// `name`, or `path` where another channel has the same name.
    shown: String,
    name: String,
    path: String,
    id: IdCode,
}

/// Reads a header.
struct Reader {
    time_scale: Option<TimeScale>,
    channels: Vec<Channel>,
    ids: HashSet<IdCode>,
    variables: usize,
    /// The path of the open scope: its names, each with a full stop behind it,
    /// and how long it was before each of them.
    path: String,
    scopes: Vec<usize>,
}

impl Header {
    pub(super) fn read(commands: &mut Commands) -> Result<Self, Problem> {
        let mut reader = Reader {
            time_scale: None,
            channels: Vec::new(),
            ids: HashSet::new(),
            variables: 0,
            path: String::new(),
            scopes: Vec::new(),
        };
        loop {
            let command = commands.next()?;
            if commands.place().offset > MAX_HEADER_BYTES {
                return Err(Problem::TooLarge(format!(
                    "its header has more than the {MAX_HEADER_BYTES} bytes that are read"
                )));
            }
            match command {
                Some(Command::Enddefinitions) => return reader.finish(),
                Some(command) => reader.take(command, commands)?,
                None => {
                    return Err(Problem::Damaged(
                        "it ends before its `$enddefinitions`".to_owned(),
                    ));
                }
            }
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(|channel| channel.shown.as_str())
    }

    pub(super) fn position(&self, channel: &str) -> Option<usize> {
        let is_it = |known: &Channel| known.shown == channel || known.path == channel;
        self.channels.iter().position(is_it)
    }

    /// Of the channel at that position.
    pub(super) fn id(&self, position: usize) -> IdCode {
        self.channels[position].id
    }

    pub(super) fn declares(&self, id: IdCode) -> bool {
        self.ids.contains(&id)
    }
}

impl Reader {
    fn take(&mut self, command: Command, commands: &mut Commands) -> Result<(), Problem> {
        let taken = match command {
            Command::Timescale(number, unit) => self.set_time_scale(number, unit),
            Command::ScopeDef(_, name) => self.open_scope(&name),
            Command::Upscope => self.close_scope(),
            Command::VarDef(kind, bits, id, name, index) => {
                let index = index.map(|index| index.to_string()).unwrap_or_default();
                self.declare(kind, bits, id, name + &index)
            }
            Command::Comment(_) | Command::Date(_) | Command::Version(_) => Ok(()),
            _ => Err("a change stands within the header".to_owned()),
        };
        taken.map_err(|how| commands.malformed(&how))
    }

    fn set_time_scale(&mut self, number: u32, unit: TimescaleUnit) -> Result<(), String> {
        if !matches!(number, 1 | 10 | 100) {
            return Err(format!(
                "the time scale is {number} {unit}, and can be 1, 10 or 100 of a unit"
            ));
        }
        self.time_scale = Some(TimeScale {
            nanos: u64::from(number) * 1_000_000_000,
            ticks: unit.divisor(),
        });
        Ok(())
    }

    fn open_scope(&mut self, name: &str) -> Result<(), String> {
        check_name(name)?;
        self.scopes.push(self.path.len());
        self.path.push_str(name);
        self.path.push('.');
        check_path(&self.path)
    }

    fn close_scope(&mut self) -> Result<(), String> {
        let length = self.scopes.pop().ok_or("no scope is open to be closed")?;
        self.path.truncate(length);
        Ok(())
    }

    fn declare(
        &mut self,
        kind: VarType,
        bits: u32,
        id: IdCode,
        name: String,
    ) -> Result<(), String> {
        self.variables += 1;
        if self.variables > MAX_VARIABLES {
            return Err(format!(
                "there are more than the {MAX_VARIABLES} variables that are read"
            ));
        }
        self.ids.insert(id);
        check_name(&name)?;
        let path = format!("{}{name}", self.path);
        check_path(&path)?;
        let has_levels = !matches!(
            kind,
            VarType::Event | VarType::Parameter | VarType::Real | VarType::String
        );
        if bits == 1 && has_levels {
            self.channels.push(Channel {
                shown: String::new(),
                name,
                path,
                id,
            });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Header, Problem> {
        let Some(time_scale) = self.time_scale else {
            return Err(Problem::Malformed(
                "its header has no `$timescale`".to_owned(),
            ));
        };
        self.refuse_twins()?;
        let mut names: HashMap<String, usize> = HashMap::new();
        for channel in &self.channels {
            *names.entry(channel.name.clone()).or_default() += 1;
        }
        for channel in &mut self.channels {
            channel.shown = match names[&channel.name] {
                1 => channel.name.clone(),
                _ => channel.path.clone(),
            };
        }
        Ok(Header {
            time_scale,
            channels: self.channels,
            ids: self.ids,
        })
    }

    /// Drops what is declared twice, and refuses two variables of one path.
    fn refuse_twins(&mut self) -> Result<(), Problem> {
        let mut known: HashMap<String, IdCode> = HashMap::new();
        let mut twin = None;
        self.channels
            .retain(|channel| match known.get(&channel.path) {
                None => {
                    known.insert(channel.path.clone(), channel.id);
                    true
                }
                Some(&id) => {
                    if id != channel.id {
                        twin = Some(channel.path.clone());
                    }
                    false
                }
            });
        match twin {
            Some(path) => Err(Problem::Malformed(format!(
                "it has more than one variable `{path}`"
            ))),
            None if self.channels.is_empty() => Err(Problem::Malformed(
                "it has no variable of one bit".to_owned(),
            )),
            None => Ok(()),
        }
    }
}

/// Fit to be shown.
fn check_name(name: &str) -> Result<(), String> {
    if name.len() > MAX_NAME_BYTES {
        let length = name.len();
        return Err(format!(
            "a name has {length} bytes and at most {MAX_NAME_BYTES} are read"
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("a name is `{}`", name.escape_debug()));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    if path.len() > MAX_PATH_BYTES {
        return Err(format!(
            "the scopes are so deep that a full path has more than the {MAX_PATH_BYTES} bytes \
             that are read"
        ));
    }
    Ok(())
}
