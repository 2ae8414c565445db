//! `metadata`: an ini file that says what the samples are.

use std::collections::BTreeMap;

use super::super::{MAX_CHANNELS, MAX_NAME_BYTES, MAX_SAMPLE_RATE};
use super::Problem;

/// A recorded channel.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Channel {
    pub(in super::super) name: String,
    /// Its place in a sample, from the lowest bit of the first byte.
    pub(in super::super) bit: usize,
}

/// What is used of the section `[device 1]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// The name of the parts that hold the samples, without their number.
    pub(super) capture_file: String,
    /// In Hz.
    pub(super) sample_rate: u64,
    /// Bytes a sample.
    pub(super) unit: usize,
    pub(super) channels: Vec<Channel>,
}

impl Metadata {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(text)
            .map_err(|error| Problem::Malformed(format!("its `metadata` is no UTF-8: {error}")))?;
        let keys = device_keys(text);
        let unit = unit_size(&keys)?;
        Ok(Self {
            capture_file: name(required(&keys, "capturefile")?, "capturefile")?,
            sample_rate: sample_rate(required(&keys, "samplerate")?)?,
            unit,
            channels: channels(&keys, unit)?,
        })
    }
}

/// The keys of `[device 1]`. A session can hold recordings of several
/// devices; sigrok writes one and reads the first.
fn device_keys(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .map(str::trim)
        .skip_while(|line| *line != "[device 1]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect()
}

fn required<'a>(keys: &BTreeMap<&str, &'a str>, key: &str) -> Result<&'a str, Problem> {
    keys.get(key).copied().ok_or_else(|| {
        Problem::Malformed(format!(
            "its `metadata` says nothing of `{key}` in `[device 1]`"
        ))
    })
}

/// As `unitsize` says, else room for `total probes`.
fn unit_size(keys: &BTreeMap<&str, &str>) -> Result<usize, Problem> {
    const MAX_UNIT: usize = MAX_CHANNELS / 8;
    let (key, bits) = if keys.contains_key("unitsize") {
        ("unitsize", 8)
    } else {
        ("total probes", 1)
    };
    let text = required(keys, key)?;
    let unit = text.parse::<usize>().ok().and_then(|n| n.checked_mul(bits));
    match unit.map(|bits| bits.div_ceil(8)) {
        Some(unit @ 1..=MAX_UNIT) => Ok(unit),
        Some(0) | None => Err(Problem::Malformed(format!(
            "its `{key}` is `{}`",
            shown(text)
        ))),
        Some(unit) => Err(Problem::TooLarge(format!(
            "its samples have {unit} bytes each and at most {MAX_UNIT} ({MAX_CHANNELS} channels) \
             are read"
        ))),
    }
}

fn channels(keys: &BTreeMap<&str, &str>, unit: usize) -> Result<Vec<Channel>, Problem> {
    let mut channels = Vec::new();
    for (key, value) in keys {
        let Some(number) = key
            .strip_prefix("probe")
            .and_then(|n| n.parse::<usize>().ok())
        else {
            continue;
        };
        if !(1..=unit * 8).contains(&number) {
            return Err(Problem::Malformed(format!(
                "its `probe{number}` has no place in samples of {unit} bytes"
            )));
        }
        channels.push(Channel {
            name: name(value, key)?,
            bit: number - 1,
        });
    }
    channels.sort_by_key(|channel| channel.bit);
    refuse_twins(&channels)?;
    Ok(channels)
}

fn refuse_twins(channels: &[Channel]) -> Result<(), Problem> {
    if channels.is_empty() {
        return Err(Problem::Malformed(
            "its `metadata` names no channel".to_owned(),
        ));
    }
    for (index, channel) in channels.iter().enumerate() {
        let twin = channels[..index].iter().find(|other| {
            // `probe1` and `probe01` are different keys.
            other.bit == channel.bit || other.name == channel.name
        });
        if twin.is_some() {
            return Err(Problem::Malformed(format!(
                "it has more than one channel `{}` (`probe{}`)",
                channel.name,
                channel.bit + 1
            )));
        }
    }
    Ok(())
}

/// A name fit to be shown.
fn name(text: &str, key: &str) -> Result<String, Problem> {
    let key = shown(key);
    if text.len() > MAX_NAME_BYTES {
        let length = text.len();
        return Err(Problem::TooLarge(format!(
            "its `{key}` has {length} bytes and at most {MAX_NAME_BYTES} are read"
        )));
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Problem::Malformed(format!(
            "its `{key}` is `{}`",
            shown(text)
        )));
    }
    Ok(text.to_owned())
}

/// The file's text as an error may show it.
fn shown(text: &str) -> String {
    text.chars()
        .take(MAX_NAME_BYTES)
        .flat_map(char::escape_debug)
        .collect()
}

/// In Hz, from the likes of `2 MHz`, `1.5 kHz` and `24000000`.
fn sample_rate(text: &str) -> Result<u64, Problem> {
    match parse_rate(text) {
        Some(rate) if rate > u128::from(MAX_SAMPLE_RATE) => Err(Problem::TooLarge(format!(
            "its `samplerate` is {rate} Hz and at most {MAX_SAMPLE_RATE} Hz are read"
        ))),
        Some(rate @ 1..) => Ok(rate as u64),
        _ => Err(Problem::Malformed(format!(
            "its `samplerate` is `{}`",
            shown(text)
        ))),
    }
}

/// `None` where it is no number of whole Hz.
fn parse_rate(text: &str) -> Option<u128> {
    const MAX_DIGITS: usize = 18;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "hz" => 1,
        "k" | "khz" => 1_000,
        "m" | "mhz" => 1_000_000,
        "g" | "ghz" => 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = digits
        .trim_end()
        .split_once('.')
        .unwrap_or((digits.trim_end(), ""));
    let all = [whole, fraction].concat();
    if whole.is_empty() || all.len() > MAX_DIGITS || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scaled = all.parse::<u128>().ok()? * scale;
    let unit = 10_u128.pow(fraction.len() as u32);
    (scaled % unit == 0).then_some(scaled / unit)
}

#[cfg(test)]
mod tests;
