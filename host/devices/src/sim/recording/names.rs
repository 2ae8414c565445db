//! Lines' names as names of VCD variables.

use std::collections::HashSet;

use crate::capture::MAX_NAME_BYTES;

/// A name each, in order: without what ends a word or what other programs read
/// as an index or a scope, no longer than is read back, no two of them alike.
pub(super) fn references<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    /// For a number that tells twins apart.
    const ROOM: usize = 8;
    let mut taken = HashSet::new();
    let mut unused = |name: &String| taken.insert(name.clone());
    lines
        .map(|line| {
            let mut name: String = line.chars().map(plain).collect();
            name.truncate(MAX_NAME_BYTES - ROOM);
            if name.is_empty() {
                name.push('_');
            }
            let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
            let mut names = std::iter::once(name.clone()).chain(numbered);
            names.find(&mut unused).unwrap_or(name)
        })
        .collect()
}

fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() || "_-+/:".contains(c) {
        c
    } else {
        '_'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words_of_their_own() {
        let long = "x".repeat(100);
        let lines = [
            "GPIO17", "IR Toy", "IR.Toy", "D[0]", "$end", "", &long, &long,
        ];
        let short = "x".repeat(56);
        assert_eq!(
            references(lines.into_iter()),
            [
                "GPIO17",
                "IR_Toy",
                "IR_Toy_2",
                "D_0_",
                "_end",
                "_",
                &short,
                &format!("{short}_2")
            ]
        );
    }
}
