//! Where something stands in the file, and whether it stands there twice.

use crate::error::BoardError;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;

/// The file that errors refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    pub(super) fn place(&self, span: Range<usize>) -> String {
        let line = 1 + self
            .text
            .as_bytes()
            .iter()
            .take(span.start)
            .filter(|&&byte| byte == b'\n')
            .count();
        format!("{}:{line}", self.path.display())
    }

    /// What the parser says, with the line that it says it of.
    pub(super) fn unreadable(&self, span: Range<usize>, message: &str) -> BoardError {
        let before = self.text.get(..span.start).unwrap_or("");
        let line = self
            .text
            .lines()
            .nth(before.matches('\n').count())
            .unwrap_or("")
            .trim();
        self.invalid(span, &format!("`{line}`: {message}"))
    }

    pub(super) fn invalid(&self, span: Range<usize>, message: &str) -> BoardError {
        BoardError::Invalid {
            place: self.place(span),
            message: message.replace('\n', ", ").trim_end().to_owned(),
        }
    }
}

/// Refuses a name that stands in the file twice, and says where the first is.
pub(super) struct Unique<'a> {
    kind: &'static str,
    /// What would do as well, for people.
    or_else: &'static str,
    source: &'a Source,
    /// Where it stands, and whose it is. A place is looked for in the whole
    /// text: only once there is something to say about it.
    seen: BTreeMap<&'a str, (Range<usize>, &'a str)>,
}

impl<'a> Unique<'a> {
    pub(super) fn new(kind: &'static str, source: &'a Source) -> Self {
        Self {
            kind,
            or_else: "",
            source,
            seen: BTreeMap::new(),
        }
    }

    /// With another remedy for what two owners claim.
    pub(super) fn or_else(self, or_else: &'static str) -> Self {
        Self { or_else, ..self }
    }

    pub(super) fn add(
        &mut self,
        name: &'a Spanned<String>,
        owner: &'a str,
    ) -> Result<(), BoardError> {
        let here = (name.span(), owner);
        let Some((first, holder)) = self.seen.insert(name.get_ref(), here) else {
            return Ok(());
        };
        let first = self.source.place(first);
        let kind = self.kind;
        let message = if holder == owner {
            format!(
                "{kind} `{}` stands here a second time, first at {first}; rename or remove one",
                name.get_ref()
            )
        } else {
            format!(
                "{kind} `{}` belongs to `{holder}` already ({first}), so `{owner}` cannot have it too; remove one{}",
                name.get_ref(),
                self.or_else
            )
        };
        Err(self.source.invalid(name.span(), &message))
    }
}
