//! Text that a terminal can show.

use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, Result};
/// `text` without what a terminal would act on: drivers choose some of the
/// texts that we show.
pub(crate) use loopgate::printable as plain;
use loopgate::{is_printable, printable_json};
use serde::Serialize;

/// Prints `text` and ends its last line.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() {
        ""
    } else {
        "\n"
    };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    print(&printable_json(&text))
}

/// On one line, for streams of them.
pub(crate) fn print_json_line(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).context("cannot write JSON")?;
    print(&printable_json(&text))
}

/// Bytes as text, where they are text that a terminal shows as it is.
pub(crate) fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    let shows = |c: char| c == '\n' || is_printable(c);
    text.replace("\r\n", "\n")
        .chars()
        .all(shows)
        .then_some(text)
}

/// An error with its causes, on one line: they quote what a driver, a host or
/// a file says.
pub(crate) fn error_line(error: &anyhow::Error) -> String {
    plain(&format!("error: {error:#}")).into_owned()
}

/// Rows in columns, the first row their heads. Columns are two spaces apart;
/// what is numeric throughout stands at the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column| {
        cells(column)
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let begins_with_digit = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit());
    let numeric =
        |column| cells(column).count() > 1 && cells(column).skip(1).all(begins_with_digit);
    let form: Vec<_> = (0..columns)
        .map(|column| (width(column), numeric(column)))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&form).map(|(cell, &(width, numeric))| {
            if numeric {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_a_terminal_only_shows() {
        let error = anyhow::anyhow!("lamp \u{9b}2J\nerror: \u{202e}forged").context("\x1b]0;t\x07");
        let line = error_line(&error);
        assert!(line.chars().all(is_printable), "{line}");
        assert!(
            line.starts_with("error: \\u{1b}]0;t\\u{7}: lamp \\u{9b}2J\\n"),
            "{line}"
        );
    }

    #[test]
    fn text_is_what_shows_as_it_is() {
        for text in ["", "12", "two\nlines\n", "tab\there", "dos\r\n", "é"] {
            assert_eq!(as_text(text.as_bytes()), Some(text));
        }
        for other in [
            &b"\x00"[..],
            b"\x1b[2J",
            b"over\rwritten",
            b"\xff",
            "\u{9b}2J".as_bytes(),
            "a\u{202e}b".as_bytes(),
        ] {
            assert_eq!(as_text(other), None, "{other:?}");
        }
    }

    #[test]
    fn columns_fit_and_numbers_stand_at_the_right() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["NAME", "CALLS", "LOOP"]),
            row(["blink", "7", "board"]),
            row(["ir", "12345678", ""]),
        ];
        assert_eq!(
            table(&rows),
            "NAME      CALLS  LOOP\nblink         7  board\nir     12345678\n"
        );
    }
}
