//! What `fuzz` is told.

use anyhow::Result;

use crate::Misuse;

const EXAMPLE: &str = "try `cargo xtask fuzz --minutes 10 --target board_file`";

/// For a week: more is a slip.
const MINUTES_MAX: u64 = 7 * 24 * 60;

#[derive(Debug)]
pub(super) struct Arguments {
    /// For each target.
    pub(super) minutes: u64,
    /// All where there is none.
    pub(super) target: Option<String>,
}

impl Arguments {
    pub(super) fn parse(words: &[String]) -> Result<Self> {
        let (mut minutes, mut target) = (None, None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (word.as_str(), None),
            };
            let place = match option {
                "--minutes" => &mut minutes,
                "--target" => &mut target,
                _ => return Err(misuse(format!("unexpected argument `{word}`"))),
            };
            let value = value.or_else(|| words.next().map(String::as_str));
            *place = Some(value.ok_or_else(|| misuse(format!("`{option}` lacks its value")))?);
        }
        let Some(minutes) = minutes else {
            return Err(misuse("`--minutes` is missing"));
        };
        let Ok(minutes @ 1..=MINUTES_MAX) = minutes.parse() else {
            let why = format!("`{minutes}` is no number of minutes from 1 to {MINUTES_MAX}");
            return Err(misuse(why));
        };
        Ok(Self {
            minutes,
            target: target.map(str::to_owned),
        })
    }
}

fn misuse(what: impl std::fmt::Display) -> anyhow::Error {
    Misuse::error(format!("{what}; {EXAMPLE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Arguments> {
        Arguments::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_have_two_spellings_and_any_order() {
        for words in [
            &["--minutes", "7", "--target", "sr"][..],
            &["--target=sr", "--minutes=7"],
        ] {
            let arguments = parsed(words).unwrap();
            assert_eq!(arguments.minutes, 7);
            assert_eq!(arguments.target.as_deref(), Some("sr"));
        }
        assert_eq!(parsed(&["--minutes", "1"]).unwrap().target, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_an_example() {
        for (words, what) in [
            (&[][..], "`--minutes` is missing"),
            (&["--minutes"], "`--minutes` lacks its value"),
            (&["--minutes=0"], "`0` is no number"),
            (&["--minutes=99999"], "`99999` is no number"),
            (&["7"], "unexpected argument `7`"),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.is::<Misuse>());
            let told = error.to_string();
            assert!(
                told.contains(what) && told.contains("; try `cargo xtask"),
                "{told}"
            );
        }
    }
}
