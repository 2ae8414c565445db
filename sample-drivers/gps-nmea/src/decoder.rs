//! The last fix, out of NMEA sentences.

mod mend;

use std::fmt;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use nmea::sentences::{self, FaaMode, FixType, GgaData, GllData, GsaData, RmcData};
use nmea::sentences::{gsa::GsaMode2, rmc::RmcStatusOfFix};
use nmea::{NmeaSentence, SentenceType};

/// Takes sentences in, and keeps the last position that one of them gave.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    fix: Option<Fix>,
    fixes: u64,
    /// The receiver has said that it has none.
    void: bool,
    /// What the receiver said last about its fixes: 2 or 3 dimensions.
    dimensions: Option<u8>,
    date: Option<NaiveDate>,
    time: Option<NaiveTime>,
}

/// Where the receiver is, and when.
#[derive(Clone, Copy, Debug)]
struct Fix {
    lat: f64,
    lon: f64,
    /// Metres above mean sea level.
    alt: Option<f32>,
    date: Option<NaiveDate>,
    time: Option<NaiveTime>,
}

/// What is known of the last fix, as one line of JSON.
pub(crate) struct Position<'a>(&'a Decoder);

impl Decoder {
    /// Takes a line. One that is no whole sentence changes nothing.
    pub(crate) fn line(&mut self, line: &[u8]) {
        let text = std::str::from_utf8(line)
            .ok()
            .filter(|text| text.is_ascii());
        let sentence = text.and_then(|text| nmea::parse_nmea_sentence(text.trim_end()).ok());
        // A sum that is right is all that tells a sentence from noise.
        if let Some(sentence) = sentence
            && sentence.checksum == sentence.calc_checksum()
        {
            self.sentence(sentence);
        }
    }

    /// How many positions there have been.
    pub(crate) fn fixes(&self) -> u64 {
        self.fixes
    }

    pub(crate) fn position(&self) -> Position<'_> {
        Position(self)
    }

    fn sentence(&mut self, sentence: NmeaSentence<'_>) {
        match sentence.message_id {
            SentenceType::RMC => {
                if let Some(rmc) = mend::parse(&sentence, sentences::parse_rmc) {
                    self.rmc(&rmc);
                }
            }
            SentenceType::GLL => {
                if let Some(gll) = mend::parse(&sentence, sentences::parse_gll) {
                    self.gll(&gll);
                }
            }
            SentenceType::GGA => {
                if let Ok(gga) = sentences::parse_gga(sentence) {
                    self.gga(&gga);
                }
            }
            SentenceType::GSA => {
                if let Ok(gsa) = sentences::parse_gsa(sentence) {
                    self.gsa(&gsa);
                }
            }
            SentenceType::ZDA => {
                if let Ok(zda) = sentences::parse_zda(sentence) {
                    self.clock(zda.utc_date(), zda.utc_time);
                }
            }
            _ => {}
        }
    }

    fn rmc(&mut self, rmc: &RmcData) {
        self.clock(rmc.fix_date, rmc.fix_time);
        let valid = rmc.status_of_fix != RmcStatusOfFix::Invalid;
        let valid = valid && rmc.faa_mode != Some(FaaMode::DataNotValid);
        self.fix(valid, rmc.lat.zip(rmc.lon), None);
    }

    fn gll(&mut self, gll: &GllData) {
        self.clock(None, gll.fix_time);
        let valid = gll.valid && gll.faa_mode != Some(FaaMode::DataNotValid);
        self.fix(valid, gll.latitude.zip(gll.longitude), None);
    }

    fn gga(&mut self, gga: &GgaData) {
        self.clock(None, gga.fix_time);
        let valid = gga
            .fix_type
            .is_some_and(|quality| quality != FixType::Invalid);
        let altitude = gga.altitude.filter(|metres| metres.is_finite());
        if valid {
            self.dimensions = Some(if altitude.is_some() { 3 } else { 2 });
        }
        self.fix(valid, gga.latitude.zip(gga.longitude), altitude);
    }

    fn gsa(&mut self, gsa: &GsaData) {
        match gsa.mode2 {
            GsaMode2::NoFix => self.void = true,
            GsaMode2::Fix2D => self.dimensions = Some(2),
            GsaMode2::Fix3D => self.dimensions = Some(3),
        }
    }

    /// Most sentences give the time of day alone; the date of an earlier one
    /// holds until midnight.
    fn clock(&mut self, date: Option<NaiveDate>, time: Option<NaiveTime>) {
        let back = self
            .time
            .zip(time)
            .is_some_and(|(before, time)| before - time > TimeDelta::hours(12));
        if date.is_some() {
            self.date = date;
        } else if back {
            self.date = self
                .date
                .and_then(|date| date.checked_add_days(Days::new(1)));
        }
        self.time = time.or(self.time);
    }

    fn fix(&mut self, valid: bool, place: Option<(f64, f64)>, alt: Option<f32>) {
        let place = place.filter(|(lat, lon)| lat.abs() <= 90.0 && lon.abs() <= 180.0);
        let Some((lat, lon)) = place.filter(|_| valid) else {
            self.void = true;
            return;
        };
        // The sentences of one moment complete each other.
        let same = self.fix.filter(|fix| fix.time == self.time);
        self.fix = Some(Fix {
            lat,
            lon,
            alt: alt.or(same.and_then(|fix| fix.alt)),
            date: self.date,
            time: self.time,
        });
        self.fixes += 1;
    }
}

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(fix) = self.0.fix else {
            let mode = if self.0.void { "1" } else { "null" };
            return write!(
                f,
                r#"{{"mode":{mode},"time":null,"lat":null,"lon":null,"alt":null}}"#
            );
        };
        write!(f, r#"{{"mode":{},"time":"#, self.0.dimensions.unwrap_or(2))?;
        match fix.date.zip(fix.time) {
            Some((date, time)) => {
                let time = NaiveDateTime::new(date, time).format("%Y-%m-%dT%H:%M:%S%.3fZ");
                write!(f, r#""{time}""#)?;
            }
            None => f.write_str("null")?,
        }
        write!(f, r#","lat":{:.9},"lon":{:.9},"alt":"#, fix.lat, fix.lon)?;
        match fix.alt {
            Some(alt) => write!(f, "{alt}}}"),
            None => f.write_str("null}"),
        }
    }
}

#[cfg(test)]
mod tests;
