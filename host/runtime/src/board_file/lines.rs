//! Which driver has which line, and who may have one together.

use super::GpioEntry;
use super::source::{Source, Unique};
use crate::error::BoardError;
use std::collections::HashMap;

/// The lines that stand in drivers' entries so far.
pub(super) struct Lines<'a> {
    source: &'a Source,
    unique: Unique<'a>,
    /// Those that are shared: the first entry, and whose it is; the latest owner.
    shared: HashMap<&'a str, (&'a GpioEntry, &'a str, &'a str)>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            unique: Unique::new("line", source),
            shared: HashMap::new(),
        }
    }

    /// Refuses a line that stands in the file already, unless both places share
    /// it, and in the same way.
    pub(super) fn add(&mut self, entry: &'a GpioEntry, owner: &'a str) -> Result<(), BoardError> {
        let line = &entry.line;
        let Some((first, holder, latest)) = self.shared.get_mut(line.get_ref().as_str()) else {
            self.unique.add(line, owner)?;
            if entry.shared {
                self.shared.insert(line.get_ref(), (entry, owner, owner));
            }
            return Ok(());
        };
        let place = self.source.place(first.line.span());
        let name = line.get_ref();
        let message = if *latest == owner {
            format!(
                "line `{name}` stands in `{owner}` a second time; remove one, its pin can be opened once"
            )
        } else if !entry.shared {
            format!(
                "line `{name}` is shared by `{holder}` ({place}), but not by `{owner}`; write `shared = true` here, too, or use another line"
            )
        } else if let Some(setting) = entry.differs_from(first) {
            format!(
                "line `{name}` is shared with `{holder}` ({place}), whose `{setting}` is another; make them the same"
            )
        } else {
            *latest = owner;
            return Ok(());
        };
        Err(self.source.invalid(line.span(), &message))
    }
}
