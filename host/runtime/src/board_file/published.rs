//! Lines that are pins of other drivers: `SERVICE:PIN`, where the driver's
//! `uses` names the service.

use super::{BoardFile, DriverEntry, GpioEntry, PinBias, PinDrive};
use crate::error::BoardError;
use crate::published_pins::NAME_MAX;
use std::collections::{BTreeSet, HashSet};
use toml::Spanned;

/// A granted pin that another driver publishes.
pub(crate) struct Published<'a> {
    pub(crate) service: &'a str,
    /// Who may open it.
    pub(crate) user: &'a str,
    pub(crate) entry: &'a GpioEntry,
}

impl BoardFile {
    /// The granted pins that other drivers publish.
    pub(crate) fn published_pins(&self) -> impl Iterator<Item = Published<'_>> {
        let of = |driver| pins_of(driver).filter_map(|entry| published_by(driver, entry));
        self.drivers.iter().flat_map(of)
    }

    /// The granted pins that are lines of the board.
    pub(crate) fn board_pins(&self) -> impl Iterator<Item = &GpioEntry> {
        let of = |driver| pins_of(driver).filter(|pin| driver.published(pin).is_none());
        self.drivers.iter().flat_map(of)
    }

    /// The published ones that are pins of this driver, each with what the file says
    /// that its publisher is told: the line, and whether it is active when low.
    pub(crate) fn granted_pins_of(&self, provider: &DriverEntry) -> BTreeSet<(&str, bool)> {
        let is_of = |line: &str| {
            let mut services = provider.provides.iter();
            services.any(|service| {
                let pin = line.strip_prefix(service.get_ref().as_str());
                pin.is_some_and(|pin| pin.starts_with(':'))
            })
        };
        self.published_pins()
            .map(|pin| (pin.entry.line.get_ref().as_str(), pin.entry.active_low))
            .filter(|(line, _)| is_of(line))
            .collect()
    }

    /// Whether what stands in the file of published pins can be.
    pub(super) fn check_published(&self) -> Result<(), BoardError> {
        for driver in &self.drivers {
            for pin in pins_of(driver) {
                if let Some(problem) = self.published_problem(driver, pin) {
                    let line = pin.line.get_ref();
                    let message = format!("line `{line}` {problem}");
                    return Err(self.source.invalid(pin.line.span(), &message));
                }
            }
        }
        self.refuse_published_lines()
    }

    /// Cause and remedy.
    fn published_problem(&self, driver: &DriverEntry, pin: &GpioEntry) -> Option<String> {
        let Some((service, name)) = driver.published(pin) else {
            let (service, _) = pin.line.get_ref().split_once(':')?;
            let provider = self.provider_of(service)?.name.get_ref();
            if provider == driver.name.get_ref() {
                return Some(format!(
                    "is a pin of its own, which `{provider}` publishes for others; remove it"
                ));
            }
            return Some(format!(
                "is a pin that `{provider}` publishes; add `{service}` to the `uses` of `{}`",
                driver.name.get_ref()
            ));
        };
        if name.is_empty() || name.len() > NAME_MAX {
            return Some(format!(
                "names no pin of the service `{service}`: a pin's name has 1 to {NAME_MAX} bytes"
            ));
        }
        let lacks = if pin.bias != PinBias::AsIs {
            "bias"
        } else if pin.drive != PinDrive::PushPull {
            "drive"
        } else if pin.debounce.is_some() {
            "debounce"
        } else if pin.shared {
            "shared"
        } else if pin.on_death.is_some() {
            "on-death"
        } else {
            return None;
        };
        Some(format!(
            "is a pin that another driver publishes, which has no `{lacks}`; leave it out"
        ))
    }

    /// Nothing from outside reaches them as lines.
    fn refuse_published_lines(&self) -> Result<(), BoardError> {
        let published: HashSet<_> = self
            .published_pins()
            .map(|pin| pin.entry.line.get_ref())
            .collect();
        let lines = self.board.lines.iter().map(|line| &line.name);
        let stimuli = self.board.stimuli.iter().map(|stimulus| &stimulus.line);
        let plays = self
            .board
            .plays
            .iter()
            .flat_map(|play| play.channels().map(|(_, line)| line));
        let mut named = lines.chain(stimuli).chain(plays);
        match named.find(|line: &&Spanned<String>| published.contains(line.get_ref())) {
            None => Ok(()),
            Some(line) => Err(self.source.invalid(
                line.span(),
                &format!("line `{}` is a pin that a driver publishes, and no line of the simulated board; ask that driver's services instead", line.get_ref()),
            )),
        }
    }
}

impl DriverEntry {
    /// Service and name of a pin that another driver publishes.
    pub fn published<'a>(&self, pin: &'a GpioEntry) -> Option<(&'a str, &'a str)> {
        let line = pin.line.get_ref();
        self.uses.iter().find_map(|service| {
            let name = line.strip_prefix(service.get_ref().as_str())?;
            Some((&line[..service.get_ref().len()], name.strip_prefix(':')?))
        })
    }
}

fn published_by<'a>(user: &'a DriverEntry, entry: &'a GpioEntry) -> Option<Published<'a>> {
    let (service, _) = user.published(entry)?;
    Some(Published {
        service,
        user: user.name.get_ref(),
        entry,
    })
}

fn pins_of(driver: &DriverEntry) -> impl Iterator<Item = &GpioEntry> {
    driver.gpio_in_order().into_iter().map(|(_, pin)| pin)
}
