//! Parts of the documentation that are made, not written, so that they cannot
//! rot.
//!
//! Such a part stands between `<!-- generated: NAME -->` and
//! `<!-- end of NAME -->`.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::check::Failure;
use crate::workspace::Workspace;
use crate::{Outcome, board_reference, check_reference, contract_reference, help, no_arguments};

/// A generated part of a document.
struct Part {
    document: &'static str,
    name: &'static str,
    text: fn(&Workspace) -> Result<String>,
}

const PARTS: &[Part] = &[
    Part {
        document: "README.md",
        name: "driver",
        text: driver,
    },
    Part {
        document: "README.md",
        name: "commands",
        text: |_| Ok(commands()),
    },
    Part {
        document: "ARCHITECTURE.md",
        name: "crates",
        text: |workspace| Ok(crates(workspace)),
    },
    Part {
        document: "sample-drivers/BOARD.md",
        name: "board file",
        text: board_reference::text,
    },
    Part {
        document: "wit/REFERENCE.md",
        name: "interfaces",
        text: contract_reference::text,
    },
    Part {
        document: "host/conform/README.md",
        name: "checks",
        text: check_reference::text,
    },
];

/// `generate`: brings every part up to date.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    no_arguments(arguments)?;
    for part in PARTS {
        let (path, text) = part.read(workspace)?;
        let fresh = part.renewed(&text, workspace)?;
        if fresh != text {
            std::fs::write(&path, fresh)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            println!("{}: `{}` renewed", part.document, part.name);
        }
    }
    Ok(Outcome::Passed)
}

/// The parts that are not what `run` would make of them.
pub(crate) fn stale(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for part in PARTS {
        let (_, text) = part.read(workspace)?;
        if part.renewed(&text, workspace)? != text {
            failures.push(Failure::new(
                format!(
                    "the part `{}` of `{}` is out of date",
                    part.name, part.document
                ),
                "cargo xtask generate",
            ));
        }
    }
    Ok(failures)
}

impl Part {
    fn read(&self, workspace: &Workspace) -> Result<(PathBuf, String)> {
        let path = workspace.root.join(self.document);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok((path, text))
    }

    fn renewed(&self, document: &str, workspace: &Workspace) -> Result<String> {
        replaced(document, self.name, &(self.text)(workspace)?)
            .with_context(|| format!("`{}` has no place for `{}`", self.document, self.name))
    }
}

fn replaced(document: &str, name: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}{text}{end}{tail}"))
}

/// The SDK's first example, which is compiled as a test of its documentation.
fn driver(workspace: &Workspace) -> Result<String> {
    let path = workspace.root.join("guest-sdk/README.md");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let example = first_example(&text).context("`guest-sdk/README.md` has no example")?;
    Ok(format!("{EXAMPLE}{example}```\n"))
}

const EXAMPLE: &str = "```rust\n";

fn first_example(document: &str) -> Option<&str> {
    let (_, rest) = document.split_once(EXAMPLE)?;
    Some(rest.split_once("```")?.0)
}

fn commands() -> String {
    let lines = help();
    let lines = lines.lines().map(|line| format!("    {line}\n"));
    lines.collect::<Vec<_>>().concat()
}

/// The crate map, from each manifest's own description.
fn crates(workspace: &Workspace) -> String {
    let mut rows = vec!["| folder | crate | what it is |\n|---|---|---|\n".to_owned()];
    for top in ["host", "guest-sdk", "sample-drivers", "tests"] {
        for package in workspace.members_in(top) {
            let folder = workspace.relative(package.folder());
            let about = package.description.as_deref().unwrap_or_default();
            rows.push(format!("| `{folder}` | `{}` | {about} |\n", package.name));
        }
    }
    rows.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = "a\n<!-- generated: x -->\nold\n<!-- end of x -->\nb\n";
        let fresh = replaced(document, "x", "new\n").unwrap();
        assert_eq!(
            fresh,
            "a\n<!-- generated: x -->\nnew\n<!-- end of x -->\nb\n"
        );
        assert_eq!(replaced(&fresh, "x", "new\n").unwrap(), fresh);
    }

    #[test]
    fn an_example_is_what_stands_in_its_fence() {
        let document = "a\n```rust\nfn f() {}\n```\n```rust\nfn g() {}\n```\n";
        assert_eq!(first_example(document), Some("fn f() {}\n"));
        assert_eq!(first_example("```\ntext\n```\n"), None);
    }

    #[test]
    fn a_document_without_the_marks_is_refused() {
        assert!(replaced("nothing here", "x", "new").is_none());
    }
}
