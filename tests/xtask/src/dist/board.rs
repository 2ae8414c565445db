//! The archive's board, which is the repository's with compiled drivers.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

const BEFORE: &str = "component = \"../target/drivers/";
const AFTER: &str = ".wasm\"";

/// The drivers of its entries, those that are switched off included.
pub(super) fn drivers(board: &str) -> impl Iterator<Item = &str> {
    board.lines().filter_map(|line| Some(component(line)?.1))
}

/// With the digest that compiled code needs for each driver.
pub(super) fn with_digests(board: &str, digests: &BTreeMap<&str, String>) -> Result<String> {
    let renewed = |line: &str| {
        let Some((mark, name)) = component(line) else {
            return Ok(format!("{line}\n"));
        };
        let digest = digests.get(name);
        let digest = digest.with_context(|| format!("`{name}` was not compiled"))?;
        Ok(format!(
            "{mark}component = \"drivers/{name}.cwasm\"\n{mark}sha256 = \"{digest}\"\n"
        ))
    };
    board.lines().map(renewed).collect()
}

/// What stands before it, where the entry is switched off, and the driver.
fn component(line: &str) -> Option<(&str, &str)> {
    let (mark, rest) = line.split_once(BEFORE)?;
    Some((mark, rest.strip_suffix(AFTER)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_become_compiled_ones_with_their_digest() {
        let board = "name = \"a\"\ncomponent = \"../target/drivers/a.wasm\"\n\
                     #component = \"../target/drivers/b.wasm\"\n";
        assert_eq!(drivers(board).collect::<Vec<_>>(), ["a", "b"]);
        let mut digests = BTreeMap::from([("a", "12".to_owned())]);
        let error = with_digests(board, &digests).unwrap_err().to_string();
        assert_eq!(error, "`b` was not compiled");
        digests.insert("b", "34".to_owned());
        let expected = "name = \"a\"\ncomponent = \"drivers/a.cwasm\"\nsha256 = \"12\"\n\
                        #component = \"drivers/b.cwasm\"\n#sha256 = \"34\"\n";
        assert_eq!(with_digests(board, &digests).unwrap(), expected);
    }
}
