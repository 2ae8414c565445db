//! What keeps the kit from finding out whether a driver conforms.

use loopgate::BoardError;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A mistake in what the kit was given, or what is missing. That a driver fails is
/// none: it stands in the [`Report`](crate::Report).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The board file cannot be used.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {cause}; check the path")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// A file is larger than is accepted.
    #[error("`{path}` has more than the {limit} bytes that are accepted; divide it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// Something in a file, or of a driver, is wrong.
    #[error("{place}: {message}")]
    Invalid {
        /// The file, with the line where there is one.
        place: String,
        /// Thing, cause and remedy.
        message: String,
    },
}

/// The line of something in a file, the first is 1.
pub(crate) fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    1 + before.filter(|&&byte| byte == b'\n').count()
}

/// What TOML's parser says, with the line that it says it of.
pub(crate) fn unreadable(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = line_of(text, &error.span().unwrap_or_default());
    let shown = text.lines().nth(line - 1).unwrap_or("").trim();
    let message = error.message().trim_end().replace('\n', ", ");
    invalid(path, line, format!("`{shown}`: {message}"))
}

pub(crate) fn invalid(path: &Path, line: usize, message: impl Into<String>) -> Error {
    Error::Invalid {
        place: format!("{}:{line}", path.display()),
        message: message.into(),
    }
}
