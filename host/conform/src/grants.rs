//! A board for a driver that was given none: what it asks for.

use crate::error::Error;
use crate::subject::Subject;
use crate::world::{Made, World};
use loopgate::BoardFile;
use loopgate::trace::{Asked, Called};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// More than these are not granted by themselves.
const ASKED_MAX: usize = 64;

/// As often as something new is asked for.
const ROUNDS_MAX: usize = 64;

impl Subject {
    /// Grants it what it turns out to ask for in `start`, where it has no board of its
    /// own: pins are lines of the same name, ports and buses simulated ones without a
    /// device. What another driver would provide stays missing.
    ///
    /// # Errors
    /// The board cannot be made.
    pub fn grant_what_it_asks(&mut self) -> Result<(), Error> {
        let mut asked = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let crossed = World::new(self, Made::default())?.end()?;
            let before = asked.len();
            for entry in crossed.entries() {
                let calls = entry.calls().iter().filter(|call| call.has_failed());
                asked.extend(calls.filter_map(Called::asked).filter(can_be_granted));
            }
            // A pin that it wants both ways is an output.
            let outputs: BTreeSet<_> = asked.iter().filter_map(output).collect();
            asked.retain(|asked| match asked {
                Asked::Pin {
                    name,
                    output: false,
                } => !outputs.contains(name),
                _ => true,
            });
            if asked.len() == before || asked.len() > ASKED_MAX {
                break;
            }
            let text = self.text(&asked);
            *self.board_mut() = BoardFile::parse(&text, self.component().with_extension("toml"))?;
        }
        Ok(())
    }

    fn text(&self, asked: &BTreeSet<Asked>) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut text = format!(
            "[board]\nbackend = \"sim\"\nclock = \"virtual\"\n\n[[driver]]\nname = {}\ncomponent = {}\n",
            quoted(self.driver()),
            quoted(&self.component().display().to_string()),
        );
        let provided = asked.iter().filter_map(|asked| match asked {
            Asked::Publish(name) => Some(quoted(name)),
            _ => None,
        });
        let provided: Vec<_> = provided.collect();
        let _ = writeln!(text, "provides = [{}]", provided.join(", "));
        let mut address = 0x10;
        for asked in asked {
            let _ = match asked {
                Asked::Pin { name, output: true } => writeln!(
                    text,
                    "[driver.gpio.{0}]\nline = {0}\ndirection = \"output\"",
                    quoted(name)
                ),
                Asked::Pin { name, .. } => writeln!(
                    text,
                    "[driver.gpio.{0}]\nline = {0}\ndirection = \"input\"\nbias = \"pull-up\"\nedges = \"both\"",
                    quoted(name)
                ),
                Asked::Port(name) => {
                    writeln!(
                        text,
                        "[driver.serial.{0}]\nsim = {0}\nbaud-range = [50, 4000000]",
                        quoted(name)
                    )
                }
                Asked::I2c(name) => {
                    address += 1;
                    writeln!(
                        text,
                        "[driver.i2c.{}]\nbus = \"i2c\"\naddress = {address}",
                        quoted(name)
                    )
                }
                Asked::Spi(name) => {
                    address += 1;
                    writeln!(
                        text,
                        "[driver.spi.{}]\nbus = \"spi\"\nchip-select = {address}\nclock = 1000000",
                        quoted(name)
                    )
                }
                Asked::Service(_) | Asked::Publish(_) => Ok(()),
            };
        }
        text
    }
}

fn output(asked: &Asked) -> Option<String> {
    match asked {
        Asked::Pin { name, output: true } => Some(name.clone()),
        _ => None,
    }
}

/// Names that a board file has.
fn can_be_granted(asked: &Asked) -> bool {
    let (Asked::Pin { name, .. }
    | Asked::Port(name)
    | Asked::I2c(name)
    | Asked::Spi(name)
    | Asked::Service(name)
    | Asked::Publish(name)) = asked;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=64).contains(&name.len()) && name.chars().all(is_plain)
}
