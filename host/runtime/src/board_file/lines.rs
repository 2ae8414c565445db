//! Which driver has which line, and who may have one together.

use super::source::{Source, Unique};
use super::{GpioEntry, OnDeath, PinDirection, PinDrive};
use crate::error::BoardError;
use std::collections::BTreeMap;

/// The lines that stand in drivers' entries so far.
pub(super) struct Lines<'a> {
    source: &'a Source,
    unique: Unique<'a>,
    /// Those of one driver alone that stand in its entry once: that, and whose it is.
    once: BTreeMap<&'a str, (&'a GpioEntry, &'a str)>,
    /// Those that are shared: the first entry, and whose it is; the latest owner.
    shared: BTreeMap<&'a str, (&'a GpioEntry, &'a str, &'a str)>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            unique: Unique::new("line", source)
                .or_else(", or write `shared = true` in both if both only listen"),
            once: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Refuses a line that stands in the file already, unless both places share
    /// it, and in the same way; or one driver is to read and to drive it in turn.
    pub(super) fn add(&mut self, entry: &'a GpioEntry, owner: &'a str) -> Result<(), BoardError> {
        let line = &entry.line;
        let Some((first, holder, latest)) = self.shared.get_mut(line.get_ref().as_str()) else {
            return self.add_alone(entry, owner);
        };
        let place = || self.source.place(first.line.span());
        let name = line.get_ref();
        let message = if *latest == owner {
            format!(
                "line `{name}` stands in `{owner}` a second time; remove one, its pin can be opened once"
            )
        } else if !entry.shared {
            format!(
                "line `{name}` is shared by `{holder}` ({}), but not by `{owner}`; write `shared = true` here, too, or use another line",
                place()
            )
        } else if let Some(setting) = entry.differs_from(first) {
            format!(
                "line `{name}` is shared with `{holder}` ({}), whose `{setting}` is another; make them the same",
                place()
            )
        } else {
            *latest = owner;
            return Ok(());
        };
        Err(self.source.invalid(line.span(), &message))
    }

    fn add_alone(&mut self, entry: &'a GpioEntry, owner: &'a str) -> Result<(), BoardError> {
        let line = &entry.line;
        let name = line.get_ref().as_str();
        let once = self.once.remove(name);
        let first = once.filter(|(_, holder)| *holder == owner && !entry.shared);
        if let Some(output) = first.and_then(|(first, _)| output_of_wire(first, entry)) {
            if output.on_death.unwrap_or_default() == OnDeath::Input {
                return Ok(());
            }
            let message = format!(
                "line `{name}` is an input of `{owner}`, too, which it cannot open while `on-death` keeps the output; leave that out"
            );
            return Err(self.source.invalid(line.span(), &message));
        }
        self.unique.add(line, owner)?;
        if entry.shared {
            self.shared.insert(name, (entry, owner, owner));
        } else {
            self.once.insert(name, (entry, owner));
        }
        Ok(())
    }
}

/// The output of these two where they are a wire on which a device answers: one that
/// drives one level alone, so that it cannot drive against the device.
fn output_of_wire<'a>(first: &'a GpioEntry, second: &'a GpioEntry) -> Option<&'a GpioEntry> {
    let output = match (first.direction, second.direction) {
        (PinDirection::Output, PinDirection::Input) => first,
        (PinDirection::Input, PinDirection::Output) => second,
        _ => return None,
    };
    (output.drive != PinDrive::PushPull).then_some(output)
}

#[cfg(test)]
mod tests {
    use crate::board_file::BoardFile;

    /// A board of drivers `d0`, `d1` and so on, each with these pins.
    fn board(pins: &[&str]) -> Result<BoardFile, String> {
        let entry = |(index, pins): (usize, &&str)| {
            format!(
                "[[driver]]\nname = \"d{index}\"\ncomponent = \"d.wasm\"\n[driver.gpio]\n{pins}\n"
            )
        };
        let drivers: String = pins.iter().enumerate().map(entry).collect();
        let text = format!("[board]\nbackend = \"sim\"\n{drivers}");
        BoardFile::parse(&text, "board.toml").map_err(|error| error.to_string())
    }

    fn pin(more: &str) -> String {
        format!("p = {{ line = \"L\", direction = \"input\", edges = \"both\"{more} }}")
    }

    #[test]
    fn who_shares_a_line_agrees_on_it() {
        let shared = pin(", shared = true, bias = \"pull-up\", debounce = \"1 ms\"");
        let capped = shared.replace(" }", ", rate-cap = 9 }");
        assert!(board(&[&shared, &capped, &shared]).is_ok());
        let table = [
            (shared.replace("pull-up", "pull-down"), "whose `bias`"),
            (shared.replace("both", "rising"), "whose `edges`"),
            (shared.replace("1 ms", "2 ms"), "whose `debounce`"),
            (
                shared.replace(" }", ", active-low = true }"),
                "whose `active-low`",
            ),
            (
                shared.replace(", shared = true", ""),
                "write `shared = true` here",
            ),
            (
                format!("{shared}\n{}", shared.replace("p =", "q =")),
                "a second time",
            ),
        ];
        for (other, words) in table {
            let error = board(&[&shared, &shared, &other]).unwrap_err();
            // The last line of the last entry, and where the first one is.
            let last = 17 + other.lines().count() - 1;
            assert!(
                error.starts_with(&format!("board.toml:{last}: ")),
                "{error}"
            );
            assert!(error.contains(words) && error.contains("`L`"), "{error}");
            assert!(error.contains("board.toml:7") || words == "a second time");
        }
    }

    #[test]
    fn one_driver_may_read_and_drive_a_line_in_turn() {
        let input = pin("");
        let output = |more: &str| {
            let drive = "direction = \"output\", drive = \"open-drain\"";
            format!("q = {{ line = \"L\", {drive}{more} }}")
        };
        let both = |output: &str| format!("{input}\n{output}");
        assert!(board(&[&both(&output(""))]).is_ok());
        assert!(board(&[&both(&output(", on-death = \"input\""))]).is_ok());
        let third = both(&output("")) + "\n" + &output("").replace("q =", "r =");
        let shared = format!("{}\n{}", pin(", shared = true"), output(""));
        // Rather a line that is written wrongly than a wire.
        let push_pull = both(&output("").replace("open-drain", "push-pull"));
        for (pins, words) in [
            (vec![both(&input.replace("p =", "q ="))], "a second time"),
            (vec![third], "a second time"),
            (vec![push_pull], "a second time"),
            (
                vec![both(&output(", on-death = \"low\""))],
                "leave that out",
            ),
            (
                vec![both(&output("")), input.clone()],
                "belongs to `d0` already",
            ),
            (vec![input.clone(), output("")], "belongs to `d0` already"),
            (vec![shared], "a second time"),
        ] {
            let pins: Vec<_> = pins.iter().map(String::as_str).collect();
            let error = board(&pins).unwrap_err();
            assert!(error.contains(words) && error.contains("`L`"), "{error}");
        }
    }

    #[test]
    fn a_line_is_not_shared_by_one_side() {
        let (alone, shared) = (pin(""), pin(", shared = true"));
        let error = board(&[&alone, &shared]).unwrap_err();
        assert!(
            error.contains("line `L` belongs to `d0` already"),
            "{error}"
        );
        assert!(error.contains("`shared = true`"), "{error}");
        let output = "p = { line = \"L\", direction = \"output\", shared = true }";
        let error = board(&[output]).unwrap_err();
        assert!(error.contains("`shared` are for inputs"), "{error}");
    }
}
