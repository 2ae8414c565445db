//! `[driver.serial]`: the ports of a driver.

use crate::units::Bytes;
use loopgate_devices::serial::{self, Device, PortRequest};
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::Spanned;

/// A serial port granted to a driver: a device that there is, or a
/// pseudo-terminal that is made for it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SerialEntry {
    /// The device's file, for example `/dev/ttyAMA0`.
    #[serde(default)]
    pub device: Option<Spanned<String>>,
    /// Where to link the pseudo-terminal, so that any program can be the
    /// device at its other end. Relative to the board file.
    #[serde(default)]
    pub pty: Option<Spanned<String>>,
    /// A port of the simulated board, by name; for programs that embed one.
    #[serde(default)]
    pub sim: Option<Spanned<String>>,
    /// Bits a second.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// Further speeds that the driver may ask for.
    #[serde(default)]
    pub bauds: Vec<u32>,
    /// The lowest and the highest of the speeds that the driver may ask for
    /// besides, for example `[1200, 115200]`.
    #[serde(default)]
    pub baud_range: Vec<u32>,
    /// How a byte is sent: 7 or 8 data bits, the parity `N`, `E` or `O`, 1 or 2
    /// stop bits.
    #[serde(default)]
    pub framing: Framing,
    /// How a receiver holds its sender back. A pseudo-terminal does so by itself.
    #[serde(default)]
    pub flow: PortFlow,
    /// Whether RTS switches the driver of an RS-485 pair on while something is
    /// sent. Only some devices can; one whose device tree says so needs no word here.
    #[serde(default)]
    pub rs485: bool,
    /// What the port holds in each direction: 64 B to 1 MiB.
    #[serde(default = "default_buffer")]
    pub buffer: Bytes,
}

/// How a byte is sent, written as `8N1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing(pub serial::Framing);

/// How a receiver holds its sender back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortFlow {
    /// Not at all.
    #[default]
    None,
    /// By the lines RTS and CTS.
    RtsCts,
    /// By the bytes 0x13 and 0x11, which the data must not have.
    XonXoff,
}

impl<'de> Deserialize<'de> for Framing {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl From<PortFlow> for serial::FlowControl {
    fn from(flow: PortFlow) -> Self {
        match flow {
            PortFlow::None => Self::None,
            PortFlow::RtsCts => Self::RtsCts,
            PortFlow::XonXoff => Self::XonXoff,
        }
    }
}

fn default_baud() -> u32 {
    9600
}

fn default_buffer() -> Bytes {
    Bytes(4 << 10)
}

impl SerialEntry {
    /// Where the port is: the one of the three that is given.
    pub fn place(&self) -> Option<&Spanned<String>> {
        self.device
            .as_ref()
            .or(self.pty.as_ref())
            .or(self.sim.as_ref())
    }

    /// What the port holds in each direction, in bytes.
    pub fn buffer(&self) -> u64 {
        self.buffer.0
    }

    /// Whether the driver may have the port at this speed.
    pub(crate) fn grants(&self, baud: u32) -> bool {
        let in_range = match self.baud_range[..] {
            [least, most] => (least..=most).contains(&baud),
            _ => false,
        };
        baud == self.baud || self.bauds.contains(&baud) || in_range
    }

    /// What to ask the backend for.
    pub(crate) fn request(&self, consumer: &str, baud: u32) -> PortRequest {
        let device = match (&self.device, &self.pty, &self.sim) {
            (Some(path), _, _) => Device::Path(path.get_ref().into()),
            (_, Some(link), _) => Device::Pty {
                link: link.get_ref().into(),
            },
            (_, _, name) => Device::Sim(
                name.as_ref()
                    .map(|name| name.get_ref().clone())
                    .unwrap_or_default(),
            ),
        };
        PortRequest {
            device,
            baud,
            framing: self.framing.0,
            flow: self.flow.into(),
            rs485: self.rs485,
            buffer: self.buffer() as usize,
            consumer: consumer.to_owned(),
        }
    }

    pub(super) fn check(&self, name: &str, driver: &str) -> Result<(), String> {
        let given = [&self.device, &self.pty, &self.sim]
            .into_iter()
            .flatten()
            .count();
        if given != 1 {
            return Err(format!(
                "port `{name}` of `{driver}` must have one of `device`, `pty` and `sim`, and has {given}"
            ));
        }
        if self.baud == 0 || self.bauds.contains(&0) {
            return Err(format!(
                "port `{name}` of `{driver}` has a speed of 0; write its bits a second, for example `baud = 9600`"
            ));
        }
        let range = &self.baud_range[..];
        if !matches!(range, [] | [1..=u32::MAX, _]) || !range.is_sorted() {
            return Err(format!(
                "port `{name}` of `{driver}`: `baud-range` is {range:?}; write the lowest and the highest speed, for example `[1200, 115200]`"
            ));
        }
        if self.rs485 && self.flow == PortFlow::RtsCts {
            return Err(format!(
                "port `{name}` of `{driver}` has `rs485` and `flow = \"rts-cts\"`, which both switch RTS; remove one of them"
            ));
        }
        if !(64..=1 << 20).contains(&self.buffer()) {
            return Err(format!(
                "port `{name}` of `{driver}`: `buffer` must be between 64 B and 1 MiB"
            ));
        }
        Ok(())
    }
}
