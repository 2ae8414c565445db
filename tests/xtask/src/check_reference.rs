//! The table of the conformance kit's checks, from the constants that they are.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use syn::{Expr, ExprStruct, Item, Lit, Member};

use crate::workspace::Workspace;

const FOLDER: &str = "host/conform/src/check";

/// The list of the others, in their order.
const LIST: &str = "CHECKS";

/// Comes before them all.
const FIRST: &str = "STARTS";

pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let folder = workspace.root.join(FOLDER);
    let mut files = crate::check::sources(&folder)?;
    files.push(folder.with_extension("rs"));
    let mut constants = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        add(&mut constants, &text).with_context(|| format!("`{}` is not Rust", file.display()))?;
    }
    table(&constants).with_context(|| format!("cannot make the table of `{FOLDER}`"))
}

/// Every constant by its name.
fn add(constants: &mut BTreeMap<String, Expr>, text: &str) -> Result<()> {
    for item in syn::parse_file(text)?.items {
        if let Item::Const(item) = item {
            constants.insert(item.ident.to_string(), *item.expr);
        }
    }
    Ok(())
}

fn table(constants: &BTreeMap<String, Expr>) -> Result<String> {
    let Some(Expr::Array(list)) = constants.get(LIST) else {
        bail!("there is no list `{LIST}`");
    };
    let mut table = "| check | rule | what holds | what is done to find out | to mend it |\n\
                     |---|---|---|---|---|\n"
        .to_owned();
    table += &row(constants, FIRST)?;
    for check in &list.elems {
        let name = match check {
            Expr::Reference(reference) => last_segment(&reference.expr),
            _ => None,
        };
        table += &row(
            constants,
            &name.with_context(|| format!("`{LIST}` has no references"))?,
        )?;
    }
    Ok(table)
}

fn last_segment(path: &Expr) -> Option<String> {
    let Expr::Path(path) = path else { return None };
    let last = path.path.segments.last()?;
    Some(last.ident.to_string())
}

fn row(constants: &BTreeMap<String, Expr>, name: &str) -> Result<String> {
    let Some(Expr::Struct(check)) = constants.get(name) else {
        bail!("there is no check `{name}`");
    };
    let of = |field| of(check, field).with_context(|| format!("`{name}` has no `{field}`"));
    Ok(format!(
        "| `{}` | {} | {} | {} | {} |\n",
        of("id")?,
        of("rule")?,
        of("title")?,
        of("explanation")?,
        of("remedy")?
    ))
}

/// A text or a number, as it stands in a table.
fn of(check: &ExprStruct, field: &str) -> Option<String> {
    let is_it = |member: &Member| matches!(member, Member::Named(name) if name == field);
    let field = check.fields.iter().find(|one| is_it(&one.member))?;
    let Expr::Lit(value) = &field.expr else {
        return None;
    };
    match &value.lit {
        Lit::Str(text) => Some(text.value().replace('|', "\\|")),
        Lit::Int(number) => Some(number.base10_digits().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &str = r#"
        pub(crate) const STARTS: Check = Check {
            id: "starts", rule: 12, title: "it starts", explanation: "a|b", remedy: "mend it", run,
        };
    "#;

    fn made(list: &str) -> Result<String> {
        let mut constants = BTreeMap::new();
        add(&mut constants, CHECK)?;
        add(
            &mut constants,
            &CHECK.replace("STARTS", "STOPS").replace("starts", "stops"),
        )?;
        add(&mut constants, list)?;
        table(&constants)
    }

    #[test]
    fn the_checks_are_rows_in_their_order() {
        let table = made("const CHECKS: [&Check; 1] = [&life::STOPS];").unwrap();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `starts` | 12 | it starts | a\\|b | mend it |",
                "| `stops` | 12 | it stops | a\\|b | mend it |"
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_no_row() {
        for list in ["", "const CHECKS: [&Check; 1] = [&life::RESTS];"] {
            assert!(made(list).is_err(), "{list}");
        }
    }
}
