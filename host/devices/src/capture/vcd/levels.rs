//! From changes to the levels of a channel.

use vcd::{Command, IdCode, Value};

use super::Problem;
use super::commands::Commands;

/// A channel's level at the first time, then each later time at which it is
/// another one. Where it changes more than once at one time the last counts.
#[derive(Debug)]
pub(in super::super) struct Levels {
    commands: Commands,
    id: IdCode,
    /// The recording's first time.
    first: u64,
    /// Ticks since then.
    at: u64,
    high: bool,
    told: Option<bool>,
    ended: bool,
}

impl Levels {
    pub(super) fn new(commands: Commands, id: IdCode, first: u64) -> Self {
        Self {
            commands,
            id,
            first,
            at: 0,
            high: false,
            told: None,
            ended: false,
        }
    }

    pub(in super::super) fn next(&mut self) -> Result<Option<(u64, bool)>, Problem> {
        while !self.ended {
            // What the time that is over came to.
            let mut over = None;
            match self.commands.next()? {
                Some(Command::Timestamp(at)) => {
                    let at = at.saturating_sub(self.first);
                    if at > self.at {
                        over = self.tell();
                        self.at = at;
                    }
                }
                Some(Command::ChangeScalar(id, value)) if id == self.id => self.take(value),
                Some(Command::ChangeVector(id, vector)) if id == self.id => {
                    self.take(vector.iter().last().unwrap_or(Value::X));
                }
                Some(_) => {}
                None => {
                    self.ended = true;
                    over = self.tell();
                }
            }
            if over.is_some() {
                return Ok(over);
            }
        }
        Ok(None)
    }

    fn take(&mut self, value: Value) {
        match value {
            Value::V0 => self.high = false,
            Value::V1 => self.high = true,
            Value::X | Value::Z => {}
        }
    }

    fn tell(&mut self) -> Option<(u64, bool)> {
        if self.told == Some(self.high) {
            return None;
        }
        self.told = Some(self.high);
        Some((self.at, self.high))
    }
}
