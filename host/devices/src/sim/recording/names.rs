//! Lines' names as names of VCD variables.

/// A name each, in order: without what ends a word or what other programs read
/// as an index or a scope, and no two of them alike.
pub(super) fn references<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut references: Vec<String> = Vec::new();
    for line in lines {
        let mut reference: String = line.chars().map(plain).collect();
        while reference.is_empty() || references.contains(&reference) {
            reference.push('_');
        }
        references.push(reference);
    }
    references
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
        let lines = ["GPIO17", "IR Toy IRRX", "IR.Toy.IRRX", "D[0]", "$end", ""];
        assert_eq!(
            references(lines.into_iter()),
            ["GPIO17", "IR_Toy_IRRX", "IR_Toy_IRRX_", "D_0_", "_end", "_"]
        );
    }
}
