//! `[driver.gpio]`: the pins of a driver.

use crate::units::Span;
use loopgate_devices::gpio;
use loopgate_workloop::Trigger;
use serde::Deserialize;
use std::num::NonZeroU32;
use toml::Spanned;

/// A pin granted to a driver.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GpioEntry {
    /// The line, as the kernel names it (`gpioinfo` lists them), for example
    /// `GPIO17`; or a pin of another driver, as `SERVICE:PIN`, where `uses` names
    /// the service. Such a pin has no `bias`, `drive`, `debounce` or `shared`. With
    /// `backend = "linux"` also by its place, for example `gpiochip0:17`: the chip's
    /// name or label, and the number of the line on it. A chip that is itself behind a
    /// bus, as an expander on I2C or an adapter on USB, can hold the driver's work loop
    /// for as long as the kernel tries to reach it: no limit of the driver ends that.
    pub line: Spanned<String>,
    /// Which way it may be used.
    pub direction: PinDirection,
    /// What pulls it while nothing drives it.
    #[serde(default)]
    pub bias: PinBias,
    /// How an output drives: both levels, or only one, and else lets go.
    #[serde(default)]
    pub drive: PinDrive,
    /// Which edges of an input may interrupt, or which level; without it, none.
    #[serde(default)]
    pub edges: Option<PinEdges>,
    /// Whether low is the active level, which the driver then sees as high.
    #[serde(default)]
    pub active_low: bool,
    /// How long an input's level must hold before it counts.
    #[serde(default)]
    pub debounce: Option<Span>,
    /// How many edges of an input may interrupt in a second, 1 at least. The
    /// others are lost, and the driver is told how many. Not for levels.
    #[serde(default)]
    pub rate_cap: Option<NonZeroU32>,
    /// Whether other drivers have this line, too. All of their entries say so,
    /// each is an input, and `bias`, `edges`, `active-low` and `debounce` are
    /// the same in all.
    #[serde(default)]
    pub shared: bool,
    /// What an output becomes when its driver lets it go: when the driver dies,
    /// is stopped or unloaded, or drops the pin. Logical, where low is the active
    /// level. Not for pins of other drivers.
    #[serde(default)]
    pub on_death: Option<OnDeath>,
}

/// What an output becomes when its driver lets it go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeath {
    /// It is driven low until the driver opens it again, or the host ends.
    Low,
    /// It is driven high, as long.
    High,
    /// It is released, and falls to its pull.
    #[default]
    Input,
    /// It stays as it was driven, as long.
    Hold,
}

/// Which way a pin may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinDirection {
    /// It may be read.
    Input,
    /// It may be driven.
    Output,
}

/// What pulls a pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinBias {
    /// Whatever the board has.
    #[default]
    AsIs,
    /// Towards high.
    PullUp,
    /// Towards low.
    PullDown,
    /// Nothing.
    Disabled,
}

/// How an output drives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinDrive {
    /// Both levels.
    #[default]
    PushPull,
    /// Only the lower voltage; for the higher one it lets go.
    OpenDrain,
    /// Only the higher voltage; for the lower one it lets go.
    OpenSource,
}

/// Which edges may interrupt, or which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinEdges {
    /// From low to high.
    Rising,
    /// From high to low.
    Falling,
    /// Either.
    Both,
    /// As long as it is high.
    HighLevel,
    /// As long as it is low.
    LowLevel,
}

impl GpioEntry {
    /// What does not fit together, and the remedy.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.direction == PinDirection::Output {
            let of_inputs = self.edges.is_some()
                || self.debounce.is_some()
                || self.rate_cap.is_some()
                || self.shared;
            return of_inputs.then_some(
                "an output, `edges`, `debounce`, `rate-cap` and `shared` are for inputs; leave them out",
            );
        }
        if self.on_death.is_some() {
            return Some("an input, and `on-death` is for outputs; leave it out");
        }
        if self.drive != PinDrive::PushPull {
            return Some("an input, and `drive` is for outputs; leave it out");
        }
        let edges = self.edges.map(gpio::Edges::from);
        let capped = self.rate_cap.is_some();
        let level = edges.is_some_and(|edges| edges.trigger() == Trigger::Level);
        (capped && level).then_some(
            "to interrupt by its level, and `rate-cap` is for edges; leave one of them out",
        )
    }

    /// The setting of the line in which another entry that shares it differs.
    pub(super) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let debounce = |entry: &Self| entry.debounce.map(|span| span.0);
        [
            ("direction", self.direction == other.direction),
            ("bias", self.bias == other.bias),
            ("edges", self.edges == other.edges),
            ("active-low", self.active_low == other.active_low),
            ("debounce", debounce(self) == debounce(other)),
        ]
        .into_iter()
        .find_map(|(setting, same)| (!same).then_some(setting))
    }

    /// What to ask the backend for.
    pub(crate) fn request(&self, consumer: &str, initial: bool) -> gpio::LineRequest {
        gpio::LineRequest {
            line: self.line.get_ref().clone(),
            consumer: consumer.to_owned(),
            direction: match self.direction {
                PinDirection::Input => gpio::Direction::Input,
                PinDirection::Output => gpio::Direction::Output { initial },
            },
            bias: match self.bias {
                PinBias::AsIs => gpio::Bias::AsIs,
                PinBias::PullUp => gpio::Bias::PullUp,
                PinBias::PullDown => gpio::Bias::PullDown,
                PinBias::Disabled => gpio::Bias::Disabled,
            },
            drive: match self.drive {
                PinDrive::PushPull => gpio::Drive::PushPull,
                PinDrive::OpenDrain => gpio::Drive::OpenDrain,
                PinDrive::OpenSource => gpio::Drive::OpenSource,
            },
            active_low: self.active_low,
            debounce: self.debounce.map(|span| span.0),
            edges: self.edges.map(Into::into),
        }
    }
}

impl From<PinEdges> for gpio::Edges {
    fn from(edges: PinEdges) -> Self {
        match edges {
            PinEdges::Rising => Self::Rising,
            PinEdges::Falling => Self::Falling,
            PinEdges::Both => Self::Both,
            PinEdges::HighLevel => Self::HighLevel,
            PinEdges::LowLevel => Self::LowLevel,
        }
    }
}
