//! An `SHT4x`: temperature and humidity, by command and answer.

use std::time::Duration;

use loopgate_workloop::Instant;
use parking_lot::Mutex;

use super::SimI2cDevice;
use crate::i2c::{Error, NoAcknowledgeSource};

/// A sensor as its datasheet has it: a command of one byte, then, when its time is
/// over, six bytes, in two words with a checksum each. Until then it does not
/// acknowledge its address.
pub struct Sht4x(Mutex<State>);

struct State {
    temperature: u16,
    humidity: u16,
    serial: u32,
    answer: Option<(Instant, [u8; 6])>,
}

impl Sht4x {
    /// With this serial number, at 25 degrees and 50 %.
    pub fn new(serial: u32) -> Self {
        let sensor = Self(Mutex::new(State {
            temperature: 0,
            humidity: 0,
            serial,
            answer: None,
        }));
        sensor.set(25.0, 50.0);
        sensor
    }

    /// What it measures from now on, in degrees Celsius and percent.
    pub fn set(&self, temperature: f64, humidity: f64) {
        let mut state = self.0.lock();
        state.temperature = ticks((temperature + 45.0) / 175.0);
        state.humidity = ticks((humidity + 6.0) / 125.0);
    }
}

#[expect(
    clippy::cast_sign_loss,
    reason = "what is negative counts as the lowest that it can tell"
)]
fn ticks(share: f64) -> u16 {
    (share * 65535.0).round() as u16
}

/// The longest that a command takes.
fn duration(command: u8) -> Option<Duration> {
    let micros = match command {
        0xfd => 8_300,
        0xf6 => 4_500,
        0xe0 => 1_600,
        0x94 => 1_000,
        0x89 => 0,
        0x39 | 0x2f | 0x1e => 1_100_000,
        0x32 | 0x24 | 0x15 => 110_000,
        _ => return None,
    };
    Some(Duration::from_micros(micros))
}

impl State {
    fn answer_to(&self, command: u8) -> [u8; 6] {
        let (first, second) = if command == 0x89 {
            ((self.serial >> 16) as u16, self.serial as u16)
        } else {
            (self.temperature, self.humidity)
        };
        let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
        [a, b, checksum([a, b]), c, d, checksum([c, d])]
    }
}

/// CRC-8 with the polynomial 0x31, from 0xff.
fn checksum(word: [u8; 2]) -> u8 {
    word.iter().fold(0xff, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| {
            crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 0x31 }
        })
    })
}

const REFUSED: Error = Error::NoAcknowledge(NoAcknowledgeSource::Data);
const ABSENT: Error = Error::NoAcknowledge(NoAcknowledgeSource::Address);

impl SimI2cDevice for Sht4x {
    fn write(&self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        let mut state = self.0.lock();
        if state.answer.is_some_and(|(ready, _)| now < ready) {
            return Err(ABSENT);
        }
        let [command, ..] = bytes else {
            return Ok(());
        };
        let takes = duration(*command).ok_or(REFUSED)?;
        let ready = now.saturating_add(takes);
        state.answer = Some((ready, state.answer_to(*command)));
        Ok(())
    }

    fn read(&self, into: &mut [u8], now: Instant) -> Result<(), Error> {
        let mut state = self.0.lock();
        let (ready, answer) = state.answer.ok_or(ABSENT)?;
        if now < ready {
            return Err(ABSENT);
        }
        state.answer = None;
        // Nothing pulls the wire after the last byte.
        into.fill(0xff);
        into.iter_mut()
            .zip(answer)
            .for_each(|(to, byte)| *to = byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_datasheet_s() {
        assert_eq!(checksum([0xbe, 0xef]), 0x92);
    }

    #[test]
    fn an_answer_takes_its_time_and_comes_once() {
        let sensor = Sht4x::new(0x0bad_cafe);
        let mut bytes = [0; 6];
        let at = |micros| Instant::ZERO.saturating_add(Duration::from_micros(micros));
        assert!(sensor.read(&mut bytes, at(0)).is_err());
        sensor.write(&[0xfd], at(0)).unwrap();
        assert!(sensor.read(&mut bytes, at(8_299)).is_err());
        sensor.read(&mut bytes, at(8_300)).unwrap();
        let word = |high: u8, low: u8| f64::from(u16::from_be_bytes([high, low]));
        let celsius = word(bytes[0], bytes[1]).mul_add(175.0 / 65535.0, -45.0);
        let percent = word(bytes[3], bytes[4]).mul_add(125.0 / 65535.0, -6.0);
        assert!((celsius - 25.0).abs() < 0.01 && (percent - 50.0).abs() < 0.01);
        assert!(sensor.read(&mut bytes, at(9_000)).is_err());
        sensor.write(&[0x89], at(9_000)).unwrap();
        sensor.read(&mut bytes, at(9_000)).unwrap();
        assert_eq!(
            [bytes[0], bytes[1], bytes[3], bytes[4]],
            [0x0b, 0xad, 0xca, 0xfe]
        );
        assert!(sensor.write(&[0x00], at(9_000)).is_err());
    }
}
