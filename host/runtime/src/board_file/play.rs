//! `[[board.play]]`: recordings that are played into lines.

use crate::units::Span;
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// `[[board.play]]`: one channel of a recording, by `channel` and `line`, or
/// several at once, by `lines`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlayEntry {
    /// A sigrok session (`.sr`) or a VCD. Relative to the board file.
    pub capture: Spanned<PathBuf>,
    /// The recorded channel, by its name; with `line`.
    #[serde(default)]
    channel: Option<String>,
    /// Into which line it is played.
    #[serde(default)]
    line: Option<Spanned<String>>,
    /// In place of those two, recorded channels and into which line each is
    /// played: `{ "A" = "GPIO5", "B" = "GPIO6" }`.
    #[serde(default)]
    lines: Option<BTreeMap<String, Spanned<String>>>,
    /// Whether high becomes low.
    #[serde(default)]
    pub invert: bool,
    /// When the recording begins, counted from the start of the board; at once
    /// where absent.
    #[serde(default)]
    pub start: Option<Span>,
    /// How often it is played.
    #[serde(default)]
    pub repeat: Repeat,
}

/// How often a recording is played, each time from where it ended before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// So many times, at least once.
    Times(u64),
    /// Until the board stops.
    Forever,
}

impl PlayEntry {
    /// When the recording begins, from the start of the board.
    pub fn start(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |span| span.0)
    }

    /// The channels that are played, each with its line.
    pub fn channels(&self) -> impl Iterator<Item = (&str, &Spanned<String>)> {
        let one = self.channel.as_deref().zip(self.line.as_ref());
        let many = self.lines.iter().flatten();
        one.into_iter()
            .chain(many.map(|(channel, line)| (channel.as_str(), line)))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let given = (
            self.channel.is_some(),
            self.line.is_some(),
            self.lines.as_ref().map(BTreeMap::is_empty),
        );
        let remedy = "write `channel = \"IR\"` and `line = \"GPIO23\"`, or `lines = { \"A\" = \"GPIO5\", \"B\" = \"GPIO6\" }`";
        match given {
            (true, true, None) | (false, false, Some(false)) => Ok(()),
            (false, false, _) => Err(format!("this play names no channel; {remedy}")),
            (true, false, None) => Err(format!("this play has `channel` and no `line`; {remedy}")),
            (false, true, None) => Err(format!("this play has `line` and no `channel`; {remedy}")),
            (_, _, Some(_)) => Err(format!(
                "this play has `lines` and also `channel` or `line`; {remedy}"
            )),
        }
    }
}

impl Repeat {
    /// As a number of plays; no board outlives the largest.
    pub(crate) fn times(self) -> u64 {
        match self {
            Self::Times(times) => times,
            Self::Forever => u64::MAX,
        }
    }
}

impl Default for Repeat {
    fn default() -> Self {
        Self::Times(1)
    }
}

impl<'de> Deserialize<'de> for Repeat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RepeatVisitor)
    }
}

struct RepeatVisitor;

impl de::Visitor<'_> for RepeatVisitor {
    type Value = Repeat;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("how often to play, for example 3, or \"forever\"")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Repeat, E> {
        match u64::try_from(number) {
            Ok(times @ 1..) => Ok(Repeat::Times(times)),
            _ => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Repeat, E> {
        match word {
            "forever" => Ok(Repeat::Forever),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BoardFile;
    use super::*;

    fn parse(rest: &str) -> Result<PlayEntry, String> {
        let text =
            format!("[board]\nbackend = \"sim\"\n[[board.play]]\ncapture = \"a.vcd\"\n{rest}\n");
        let file = BoardFile::parse(&text, "board.toml").map_err(|error| error.to_string())?;
        Ok(file.board.plays[0].clone())
    }

    fn channels(rest: &str) -> Vec<(String, String)> {
        let play = parse(rest).unwrap();
        let channels = play.channels();
        channels
            .map(|(channel, line)| (channel.to_owned(), line.get_ref().clone()))
            .collect()
    }

    #[test]
    fn one_channel_or_several_are_played() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(channels("channel = \"A\"\nline = \"X\""), [pair("A", "X")]);
        assert_eq!(
            channels("lines = { \"0\" = \"X\", \"1\" = \"Y\" }"),
            [pair("0", "X"), pair("1", "Y")]
        );
    }

    #[test]
    fn it_is_one_of_the_two_forms() {
        for rest in [
            "",
            "channel = \"A\"",
            "line = \"X\"",
            "lines = {}",
            "line = \"X\"\nlines = { A = \"X\" }",
            "channel = \"A\"\nline = \"X\"\nlines = { A = \"X\" }",
        ] {
            let error = parse(rest).unwrap_err();
            assert!(
                error.starts_with("board.toml:4: ") && error.contains("; write `channel"),
                "{rest}: {error}"
            );
        }
    }

    #[test]
    fn a_play_is_repeated_as_often_as_it_says() {
        let repeat = |value: &str| {
            let rest = format!("channel = \"A\"\nline = \"X\"\nrepeat = {value}");
            parse(&rest).map(|play| play.repeat)
        };
        let unsaid = parse("channel = \"A\"\nline = \"X\"").unwrap();
        assert_eq!(unsaid.repeat, Repeat::Times(1));
        assert_eq!(repeat("3"), Ok(Repeat::Times(3)));
        assert_eq!(repeat("\"forever\""), Ok(Repeat::Forever));
        for wrong in ["0", "-1", "1.5", "\"ever\"", "true"] {
            let error = repeat(wrong).unwrap_err();
            assert!(
                error.starts_with("board.toml:7: ") && error.contains("\"forever\""),
                "{wrong}: {error}"
            );
        }
    }
}
