//! The reference of the board file, from the types that one is read into: one
//! table of keys for each TOML table.
//!
//! What it says stands in the doc comments and the serde attributes there.

mod choice;
mod field;
mod sources;
mod value;

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use syn::ItemStruct;

use crate::workspace::Workspace;
use field::Field;
use sources::Sources;
use value::Shape;

/// The type that a whole file is read into.
const ROOT: &str = "BoardFile";

/// The modules that hold `ROOT` and what it consists of.
const FILES: &[&str] = &[
    "host/runtime/src/board_file.rs",
    "host/runtime/src/board_file",
    "host/runtime/src/limits.rs",
];

pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let paths = FILES.iter().map(|file| workspace.root.join(file));
    reference(&Sources::read(paths)?).context("cannot make the board file's reference")
}

fn reference(sources: &Sources) -> Result<String> {
    let Some(root) = sources.structure(ROOT) else {
        bail!("there is no `{ROOT}` in {}", FILES.join(", "));
    };
    let mut text = String::new();
    tables(sources, "", root, &mut text)?;
    Ok(text)
}

/// The tables that `structure`, which is the table `path`, has in it.
fn tables(sources: &Sources, path: &str, structure: &ItemStruct, text: &mut String) -> Result<()> {
    for field in field::all(structure)? {
        let inner = if path.is_empty() {
            field.key.clone()
        } else {
            format!("{path}.{}", field.key)
        };
        let (head, structure) = match sources.shape(field.kind)? {
            Shape::Value(_) | Shape::Choice(_) | Shape::List(_) => continue,
            Shape::Table(structure) => (format!("`[{inner}]`"), structure),
            Shape::Tables(structure) => (format!("`[[{inner}]]`"), structure),
            Shape::Named(structure) => (format!("`[{inner}]`, `NAME = {{ ... }}`"), structure),
        };
        let _ = writeln!(text, "\n## {head}\n\n{}", field.about);
        *text += &rows(sources, structure)?;
        tables(sources, &inner, structure, text)?;
    }
    Ok(())
}

/// The keys of a table that are not tables themselves.
fn rows(sources: &Sources, structure: &ItemStruct) -> Result<String> {
    let mut rows = String::new();
    for field in field::all(structure)? {
        rows += &row(sources, structure, &field)
            .with_context(|| format!("`{}` of `{}`", field.key, structure.ident))?;
    }
    if rows.is_empty() {
        return Ok(rows);
    }
    Ok(format!(
        "\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}"
    ))
}

/// Nothing for a key that is a table.
fn row(sources: &Sources, structure: &ItemStruct, field: &Field) -> Result<String> {
    let shape = sources.shape(field.kind)?;
    let Some(words) = shape.words() else {
        return Ok(String::new());
    };
    let default = sources.when_absent(structure, field, &shape)?;
    let choices = match &shape {
        Shape::Choice(choice) => choice.explained(),
        _ => String::new(),
    };
    let meaning = format!("{}{choices}", field.about).replace('|', "\\|");
    Ok(format!(
        "| `{}` | {words} | {default} | {meaning} |\n",
        field.key
    ))
}

#[cfg(test)]
mod tests;
