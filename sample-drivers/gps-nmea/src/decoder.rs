//! The last fix, out of NMEA sentences.

mod sentence;

use std::fmt;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use nmea::ParseResult;
use nmea::sentences::{FaaMode, FixType, gsa::GsaMode2, rmc::RmcStatusOfFix};

/// Takes sentences in, and keeps the last position that one of them gave.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    fix: Option<Fix>,
    fixes: u64,
    /// What the receiver said last: 2 or 3 dimensions, or 1 for no fix.
    mode: Option<u8>,
    date: Option<NaiveDate>,
    time: Option<NaiveTime>,
}

/// Where the receiver is, and when.
#[derive(Clone, Copy, Debug)]
struct Fix {
    mode: u8,
    lat: f64,
    lon: f64,
    /// Metres above mean sea level.
    alt: Option<f32>,
    date: Option<NaiveDate>,
    time: Option<NaiveTime>,
}

impl Decoder {
    /// Takes a line. One that is no whole sentence changes nothing.
    pub(crate) fn line(&mut self, line: &[u8]) {
        let not_valid = Some(FaaMode::DataNotValid);
        match sentence::parse(line) {
            Some(ParseResult::RMC(rmc)) => {
                self.clock(rmc.fix_date, rmc.fix_time);
                let void = rmc.status_of_fix == RmcStatusOfFix::Invalid;
                self.fix(
                    void || rmc.faa_mode == not_valid,
                    rmc.lat.zip(rmc.lon),
                    None,
                );
            }
            Some(ParseResult::GLL(gll)) => {
                self.clock(None, gll.fix_time);
                let place = gll.latitude.zip(gll.longitude);
                self.fix(!gll.valid || gll.faa_mode == not_valid, place, None);
            }
            Some(ParseResult::GGA(gga)) => {
                self.clock(None, gga.fix_time);
                let place = gga.latitude.zip(gga.longitude);
                let alt = gga.altitude.filter(|metres| metres.is_finite());
                self.fix(gga.fix_type == Some(FixType::Invalid), place, alt);
            }
            Some(ParseResult::GSA(gsa)) => {
                self.mode = Some(match gsa.mode2 {
                    GsaMode2::NoFix => 1,
                    GsaMode2::Fix2D => 2,
                    GsaMode2::Fix3D => 3,
                });
            }
            _ => {}
        }
    }

    /// How many positions there have been.
    pub(crate) fn fixes(&self) -> u64 {
        self.fixes
    }

    /// Most sentences give the time of day alone; the date of an earlier one
    /// holds until midnight.
    fn clock(&mut self, date: Option<NaiveDate>, time: Option<NaiveTime>) {
        let back = |(before, now): (NaiveTime, NaiveTime)| before - now > TimeDelta::hours(12);
        if date.is_some() {
            self.date = date;
        } else if self.time.zip(time).is_some_and(back) {
            self.date = self
                .date
                .and_then(|date| date.checked_add_days(Days::new(1)));
        }
        self.time = time.or(self.time);
    }

    fn fix(&mut self, void: bool, place: Option<(f64, f64)>, alt: Option<f32>) {
        let place = place.filter(|(lat, lon)| lat.abs() <= 90.0 && lon.abs() <= 180.0);
        let Some((lat, lon)) = place.filter(|_| !void) else {
            self.mode = Some(1);
            return;
        };
        // Without GSA an altitude tells three dimensions, once and for all.
        let deep = alt.is_some() || self.fix.is_some_and(|fix| fix.mode == 3);
        let told = self.mode.filter(|mode| *mode > 1);
        let mode = told.unwrap_or(if deep { 3 } else { 2 });
        // The sentences of one moment complete each other.
        let same = self.fix.filter(|fix| fix.time == self.time);
        self.fix = Some(Fix {
            mode,
            lat,
            lon,
            alt: alt.or(same.and_then(|fix| fix.alt)),
            date: self.date,
            time: self.time,
        });
        self.fixes += 1;
    }
}

/// What is known of the last fix, as one line of JSON.
impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let null = || "null".to_owned();
        let Some(fix) = self.fix else {
            let mode = self.mode.map_or_else(null, |mode| mode.to_string());
            return write!(
                f,
                r#"{{"mode":{mode},"time":null,"lat":null,"lon":null,"alt":null}}"#
            );
        };
        let time = fix.date.zip(fix.time).map_or_else(null, |(date, time)| {
            let time = NaiveDateTime::new(date, time);
            time.format("\"%Y-%m-%dT%H:%M:%S%.3fZ\"").to_string()
        });
        let alt = fix.alt.map_or_else(null, |alt| alt.to_string());
        let Fix { mode, lat, lon, .. } = fix;
        write!(
            f,
            r#"{{"mode":{mode},"time":{time},"lat":{lat:.9},"lon":{lon:.9},"alt":{alt}}}"#
        )
    }
}

#[cfg(test)]
mod tests;
