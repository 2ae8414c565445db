//! How a byte is sent, and how its receiver holds the sender back.

use std::fmt;
use std::str::FromStr;

/// The bits that a byte is sent as, after its start bit. Written as `8N1`: 7 or
/// 8 data bits, no, even or odd parity, 1 or 2 stop bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    data_bits: u8,
    parity: Parity,
    stop_bits: u8,
}

/// Which bit follows the data bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// None.
    None,
    /// One that makes the number of ones even.
    Even,
    /// One that makes it odd.
    Odd,
}

/// How a receiver holds its sender back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowControl {
    /// Not at all.
    #[default]
    None,
    /// By the lines RTS and CTS.
    RtsCts,
    /// By the bytes 0x13 and 0x11, which the data must not have.
    XonXoff,
}

/// The text is no [`Framing`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no framing; write 7 or 8 data bits, the parity `N`, `E` or `O`, and 1 or 2 stop bits, \
     for example `8N1`"
)]
pub struct NoFraming(String);

impl Framing {
    /// 7 or 8.
    pub fn data_bits(self) -> u8 {
        self.data_bits
    }

    /// Which bit follows the data bits.
    pub fn parity(self) -> Parity {
        self.parity
    }

    /// 1 or 2.
    pub fn stop_bits(self) -> u8 {
        self.stop_bits
    }
}

impl Default for Framing {
    /// `8N1`.
    fn default() -> Self {
        Self {
            data_bits: 8,
            parity: Parity::None,
            stop_bits: 1,
        }
    }
}

impl FromStr for Framing {
    type Err = NoFraming;

    fn from_str(text: &str) -> Result<Self, NoFraming> {
        let wrong = || NoFraming(text.chars().take(16).collect());
        let &[data_bits @ b'7'..=b'8', parity, stop_bits @ b'1'..=b'2'] = text.as_bytes() else {
            return Err(wrong());
        };
        let parity = match parity {
            b'N' => Parity::None,
            b'E' => Parity::Even,
            b'O' => Parity::Odd,
            _ => return Err(wrong()),
        };
        Ok(Self {
            data_bits: data_bits - b'0',
            parity,
            stop_bits: stop_bits - b'0',
        })
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{}{parity}{}", self.data_bits, self.stop_bits)
    }
}

impl fmt::Display for FlowControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::RtsCts => "rts-cts",
            Self::XonXoff => "xon-xoff",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framing_is_written_as_it_is_read() {
        for data_bits in [7, 8] {
            for parity in ["N", "E", "O"] {
                for stop_bits in [1, 2] {
                    let text = format!("{data_bits}{parity}{stop_bits}");
                    let framing: Framing = text.parse().unwrap();
                    assert_eq!(framing.to_string(), text);
                    let bits = (framing.data_bits(), framing.stop_bits());
                    assert_eq!(bits, (data_bits, stop_bits));
                }
            }
        }
        assert_eq!(Framing::default().to_string(), "8N1");
    }

    #[test]
    fn what_is_no_framing_is_said() {
        for text in ["", "8n1", "9N1", "6N1", "8N3", "8M1", "8N1 ", "8N", "ÄN1"] {
            let error = text.parse::<Framing>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no")), "{error}");
        }
    }
}
