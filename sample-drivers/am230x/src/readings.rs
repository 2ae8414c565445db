//! What became of the sensor's answers, for clients.

use std::collections::VecDeque;
use std::fmt;

use loopgate_guest::prelude::*;

use crate::frame::{Damage, Reading};

/// The service's selectors.
const HUMIDITY: u32 = 1;
const TEMPERATURE: u32 = 2;
const READINGS: u32 = 3;
const CHECKSUM_ERRORS: u32 = 4;
const MISSED: u32 = 5;

/// How many readings are kept; the oldest makes room.
const KEPT: usize = 64;

/// A reading that is older says so.
const STALE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Readings {
    kept: VecDeque<Reading>,
    received: u64,
    checksum_errors: u64,
    missed: u64,
}

pub(crate) fn service(cx: &Context) -> ServiceBuilder<'static> {
    let latest = "the latest in tenths; as text, which says where it is stale";
    let all = "the latest readings, a JSON object a line; scalar: readings in all";
    let wrong = "answers with a wrong sum";
    cx.service("am230x")
        .selector(HUMIDITY, "humidity", "", latest)
        .selector(TEMPERATURE, "temperature", "", latest)
        .selector(READINGS, "readings", "", all)
        .selector(CHECKSUM_ERRORS, "checksum-errors", "", wrong)
        .selector(
            MISSED,
            "missed",
            "",
            "answers that did not come, or not whole",
        )
}

impl Readings {
    pub(crate) fn add(&mut self, answer: Result<Reading, Damage>) {
        match answer {
            Ok(reading) => self.keep(reading),
            Err(Damage::Torn) => {
                warn!("no answer, or not a whole one");
                self.missed += 1;
            }
            Err(Damage::Checksum) => {
                warn!("an answer with a wrong checksum");
                self.checksum_errors += 1;
            }
        }
    }

    pub(crate) fn reply(&self, request: &Request) -> Result<Reply> {
        match request.selector {
            HUMIDITY => self.latest(|reading| reading.humidity),
            TEMPERATURE => self.latest(|reading| reading.temperature),
            READINGS => Ok(self.lines(request.reply_max)),
            CHECKSUM_ERRORS => Ok(self.checksum_errors.into()),
            MISSED => Ok(self.missed.into()),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }

    fn keep(&mut self, reading: Reading) {
        let (humidity, temperature) = (Tenths(reading.humidity), Tenths(reading.temperature));
        info!("{humidity} %, {temperature} degrees Celsius");
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(reading);
        self.received += 1;
    }

    /// A part of the latest; `not-ready` before there is one.
    fn latest(&self, part: impl Fn(&Reading) -> i16) -> Result<Reply> {
        let latest = self.kept.back().ok_or(ErrorCode::NotReady)?;
        let value = part(latest);
        let mut text = Tenths(value).to_string();
        let age = now() - Instant::from_nanos(latest.at);
        if age > STALE {
            text = format!("{text}, stale: {} s old", age.as_secs());
        }
        Ok(Reply::new(i64::from(value).cast_unsigned(), text))
    }

    /// All that are kept, or the end of them that the client takes.
    fn lines(&self, reply_max: u32) -> Reply {
        let fit = reply_max as usize / LINE_MAX;
        let skipped = self.kept.len().saturating_sub(fit);
        let lines = self.kept.iter().skip(skipped);
        let lines = lines.map(|reading| format!("{reading}\n"));
        Reply::new(self.received, lines.collect::<String>())
    }
}

/// As a number with one decimal.
struct Tenths(i16);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{}", size / 10, size % 10)
    }
}

/// The longest reading in print, with a line's end.
const LINE_MAX: usize = 48;

/// One JSON object: `{"humidity":52.6,"temperature":25.6}`.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (humidity, temperature) = (Tenths(self.humidity), Tenths(self.temperature));
        write!(
            f,
            r#"{{"humidity":{humidity},"temperature":{temperature}}}"#
        )
    }
}
