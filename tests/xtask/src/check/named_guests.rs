//! A guest that no test runs is dead weight, or a test that somebody forgot.

use anyhow::Result;

use super::{Failure, sources};
use crate::guests::core_modules;
use crate::workspace::{TEST_GUESTS, Workspace};

const TESTS: &str = "tests/integration";

pub(super) fn all_have_tests(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut tests = String::new();
    for file in sources(&workspace.root.join(TESTS))? {
        tests += &std::fs::read_to_string(file)?;
    }
    let nameless = names(workspace)?
        .into_iter()
        .filter(|name| !has_word(&tests, name));
    Ok(nameless
        .map(|name| {
            Failure::new(
                format!("no test names the guest `{name}`"),
                format!("write the test under {TESTS}, or remove the guest"),
            )
        })
        .collect())
}

fn names(workspace: &Workspace) -> Result<Vec<String>> {
    let examples = workspace.member(TEST_GUESTS).into_iter();
    let examples = examples
        .flat_map(|package| &package.targets)
        .filter(|target| target.kind.iter().any(|kind| kind == "example"))
        .map(|target| target.name.clone());
    let core_modules = core_modules::names(workspace)?;
    let core_modules = core_modules.into_iter().map(|name| format!("wat_{name}"));
    Ok(examples.chain(core_modules).collect())
}

/// Whether `word` stands in `text` other than as a part of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(in_name) && !after.is_some_and(in_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_name_does_not_count() {
        assert!(has_word("run(\"hostile_log\")", "hostile_log"));
        assert!(!has_word("hostile_logger, my_hostile_log", "hostile_log"));
        assert!(has_word("hostile_logger hostile_log.wasm", "hostile_log"));
    }
}
