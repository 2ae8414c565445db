//! Text that somebody else chose, made fit to be shown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal shows `c` as a character, in the order in which it was
/// written, and does nothing else with it. True of a tab, not of a line break.
pub fn is_printable(c: char) -> bool {
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    (c == '\t' || !c.is_control()) && !breaks && !reorders(c)
}

/// `text` with everything escaped that is not [printable](is_printable): who
/// chose it must not move the cursor of whoever reads it, nor begin a line
/// that seems to be another's. What has been through here stays as it is.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(printable_within(text, usize::MAX))
}

/// `json` so that a terminal shows it as it is, and with the same meaning: encoders leave
/// DEL, the C1 controls and the marks of direction alone, which stand in strings only.
pub fn printable_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || is_printable(c) {
            shown.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a `String` does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown
}

/// The beginning of the printable form, at most `max` bytes; of `text` no more
/// is looked at than that takes.
pub(crate) fn printable_within(text: &str, max: usize) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        let before = shown.len();
        if is_printable(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
        if shown.len() > max {
            shown.truncate(before);
            break;
        }
    }
    shown
}

/// The longest part of a driver's own words in the cause of its end, in bytes.
const WORDS_MAX: usize = 1024;

/// What a driver says of its end, as far as it fits into a cause: that stays
/// in the status and goes to every client.
pub(crate) fn last_words(text: &str) -> String {
    const CUT: &str = "...";
    // With room for one more escape: what is left out then shows.
    let words = printable_within(text, WORDS_MAX + "\\u{10ffff}".len());
    if words.len() <= WORDS_MAX {
        return words;
    }
    printable_within(text, WORDS_MAX - CUT.len()) + CUT
}

/// Marks that make a line read in another order than it was written.
fn reorders(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        assert_eq!(printable("a b é\t"), "a b é\t");
        assert_eq!(printable("a\u{1b}[2J\r\nb\tc"), "a\\u{1b}[2J\\r\\nb\tc");
        assert_eq!(printable("\u{9b}2J\u{7f}"), "\\u{9b}2J\\u{7f}");
        assert_eq!(printable("\u{202e}\u{2028}"), "\\u{202e}\\u{2028}");
        let once = printable("\u{1b}\\").into_owned();
        assert_eq!(printable(&once), once);
    }

    #[test]
    fn json_is_shown_as_it_is_and_means_the_same() {
        let value = serde_json::json!({ "a\u{9b}2J": "\u{7f}\u{202e}\u{2028}\x1b\n é😀" });
        let text = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text}");
        assert!(text.contains("a\\u009b2J") && text.contains("\\u007f\\u202e\\u2028"));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn the_printable_form_is_cut_at_a_whole_character_or_escape() {
        assert_eq!(printable_within("abc", 3), "abc");
        assert_eq!(printable_within("aé", 2), "a");
        assert_eq!(printable_within("a\u{1b}b", 6), "a");
        assert_eq!(printable_within("a\u{1b}b", 7), "a\\u{1b}");
    }

    #[test]
    fn last_words_are_cut_and_say_so() {
        let fits = "é".repeat(WORDS_MAX / 2);
        assert_eq!(last_words(&fits), fits);
        for long in ["x".repeat(64 << 10), "\u{202e}".repeat(9999)] {
            let words = last_words(&long);
            assert!(
                words.len() <= WORDS_MAX && words.ends_with("..."),
                "{words}"
            );
        }
    }
}
