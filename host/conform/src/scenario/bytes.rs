//! Bytes, as a scenario writes and as a report shows them.

use super::read;
use loopgate::printable;
use std::cell::Cell;
use std::path::{Path, PathBuf};

/// How much is shown of them.
const SHOWN_MAX: usize = 60;

/// All the files of a scenario together may have so many bytes.
const FILES_MAX: u64 = 16 << 20;

/// Where a scenario's files are.
pub(super) struct Folder<'a> {
    path: &'a Path,
    left: Cell<u64>,
}

impl<'a> Folder<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            left: Cell::new(FILES_MAX),
        }
    }

    fn read(&self, file: &Path) -> Result<Vec<u8>, String> {
        let bytes = read(&self.path.join(file)).map_err(|error| error.to_string())?;
        let left = self.left.get().checked_sub(bytes.len() as u64);
        let too_many =
            || format!("a scenario's files have at most {FILES_MAX} bytes together; divide it");
        self.left.set(left.ok_or_else(too_many)?);
        Ok(bytes)
    }
}

/// The one of `text`, `hex` and `file` that is given, if any.
pub(super) fn given(
    text: Option<String>,
    hex: Option<String>,
    file: Option<PathBuf>,
    folder: &Folder<'_>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, hex, file) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(text.into_bytes())),
        (None, Some(hex), None) => from_hex(&hex).map(Some),
        (None, None, Some(file)) => folder.read(&file).map(Some),
        _ => Err("write one of `text`, `hex` and `file`, and not several".to_owned()),
    }
}

/// As [`given`], where they are needed.
pub(super) fn needed(
    text: Option<String>,
    hex: Option<String>,
    file: Option<PathBuf>,
    folder: &Folder<'_>,
) -> Result<Vec<u8>, String> {
    let missing = || "the bytes are missing; write `text`, `hex` or `file`".to_owned();
    given(text, hex, file, folder)?.ok_or_else(missing)
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || {
        format!("`{text}` is not hexadecimal; write two digits for each byte, for example `01 ff`")
    };
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    let byte = |pair: &[u8; 2]| {
        let pair = std::str::from_utf8(pair).ok()?;
        // `from_str_radix` takes a sign.
        let plain = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        plain.then(|| u8::from_str_radix(pair, 16).ok())?
    };
    pairs
        .iter()
        .map(byte)
        .collect::<Option<_>>()
        .ok_or_else(wrong)
}

/// As text where it is text, else in hexadecimal digits.
pub(super) fn show(bytes: &[u8]) -> String {
    let plain = |byte: &u8| (b' '..=b'~').contains(byte) || b"\r\n\t".contains(byte);
    let text = if bytes.iter().all(plain) {
        let text = String::from_utf8_lossy(bytes);
        format!("\"{}\"", text.escape_debug())
    } else {
        let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(" ")
    };
    cut(&text)
}

/// A driver's text, safe to print and not longer than a line.
pub(super) fn cut(text: &str) -> String {
    let text = printable(text);
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(from_hex("01 fF\n0a"), Ok(vec![1, 255, 10]));
        assert_eq!(from_hex(""), Ok(vec![]));
        for text in ["1", "0g", "+1", "é"] {
            assert!(from_hex(text).unwrap_err().contains("two digits"), "{text}");
        }
    }

    #[test]
    fn text_is_shown_as_text() {
        assert_eq!(show(b"a\r\n"), "\"a\\r\\n\"");
        assert_eq!(show(&[0, 0x1b]), "00 1b");
        assert_eq!(show(&[b'x'; 100]).len(), 63);
    }
}
