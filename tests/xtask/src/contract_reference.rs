//! The reference of the contract: each interface of the world `driver` with
//! what its WIT file says of it.

mod types;

use std::fmt::Write as _;

use anyhow::{Context, Result};
use wit_parser::{
    Docs, Function, FunctionKind, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId, WorldItem,
};

use crate::workspace::Workspace;

const WORLD: &str = "driver";

pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(workspace.root.join("wit"))
        .context("cannot read the contract")?;
    reference(&resolve).context("cannot make the contract's reference")
}

fn reference(resolve: &Resolve) -> Result<String> {
    let mut worlds = resolve.worlds.iter().map(|(_, world)| world);
    let world = worlds
        .find(|world| world.name == WORLD)
        .with_context(|| format!("there is no world `{WORLD}`"))?;
    let interfaces = |items: &mut dyn Iterator<Item = &WorldItem>| -> Vec<_> {
        items
            .filter_map(|item| match item {
                WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
                _ => None,
            })
            .collect()
    };
    let imports = interfaces(&mut world.imports.values());
    let exports = interfaces(&mut world.exports.values());
    let mut text = String::from("\n| interface | a driver | what it is |\n|---|---|---|\n");
    for (interfaces, side) in [(&imports, "imports it"), (&exports, "exports it")] {
        for interface in interfaces {
            let (name, about) = (name(interface), first_sentence(&interface.docs));
            let _ = writeln!(text, "| [`{name}`](#{name}) | {side} | {about} |");
        }
    }
    for interface in imports.into_iter().chain(exports) {
        text += &section(resolve, interface);
    }
    Ok(text)
}

fn name(interface: &Interface) -> &str {
    interface.name.as_deref().unwrap_or_default()
}

fn section(resolve: &Resolve, interface: &Interface) -> String {
    let mut text = format!("\n## {}\n", name(interface));
    text += &paragraphs(&interface.docs);
    let (used, own): (Vec<_>, Vec<_>) = interface
        .types
        .values()
        .partition(|id| types::origin(resolve, **id).is_some());
    text += &uses(resolve, &used);
    for id in own {
        text += &type_entry(resolve, interface, *id);
    }
    let functions = interface.functions.values();
    for function in functions.filter(|function| function.kind.resource().is_none()) {
        text += &function_entry(resolve, function, "###", "");
    }
    text
}

/// `Of types: error-code, token.`
fn uses(resolve: &Resolve, used: &[&TypeId]) -> String {
    let names = used.iter().filter_map(|id| {
        let (from, name) = types::origin(resolve, **id)?;
        Some(format!("[`{name}`](#{from})"))
    });
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return String::new();
    }
    format!("\nFrom elsewhere: {}.\n", names.join(", "))
}

fn type_entry(resolve: &Resolve, interface: &Interface, id: TypeId) -> String {
    let definition = &resolve.types[id];
    let name = definition.name.as_deref().unwrap_or_default();
    let kind = definition.kind.as_str();
    let mut text = match definition.kind {
        TypeDefKind::Type(alias) => {
            format!("\n### type `{name}` = `{}`\n", types::name(resolve, &alias))
        }
        _ => format!("\n### {kind} `{name}`\n"),
    };
    text += &paragraphs(&definition.docs);
    text += &parts(resolve, definition);
    let functions = interface.functions.values();
    for function in functions.filter(|function| function.kind.resource() == Some(id)) {
        text += &function_entry(resolve, function, "####", &format!("{name}."));
    }
    text
}

/// The fields or cases of a type.
fn parts(resolve: &Resolve, definition: &TypeDef) -> String {
    let of = |ty: &Type| format!("`{}`", types::name(resolve, ty));
    let bare = |name: &str, docs: &Docs| format!("| `{name}` | {} |\n", cell(docs));
    let typed =
        |name: &str, ty: &str, docs: &Docs| format!("| `{name}` | {ty} | {} |\n", cell(docs));
    let (head, rows): (_, String) = match &definition.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let rows = fields.map(|field| typed(&field.name, &of(&field.ty), &field.docs));
            (
                "| field | type | meaning |\n|---|---|---|\n",
                rows.collect(),
            )
        }
        TypeDefKind::Variant(variant) => {
            let with = |ty: &Option<Type>| ty.as_ref().map_or_else(String::new, of);
            let cases = variant.cases.iter();
            let rows = cases.map(|case| typed(&case.name, &with(&case.ty), &case.docs));
            ("| case | of | meaning |\n|---|---|---|\n", rows.collect())
        }
        TypeDefKind::Enum(cases) => {
            let rows = cases.cases.iter().map(|case| bare(&case.name, &case.docs));
            ("| case | meaning |\n|---|---|\n", rows.collect())
        }
        TypeDefKind::Flags(flags) => {
            let rows = flags.flags.iter().map(|flag| bare(&flag.name, &flag.docs));
            ("| flag | meaning |\n|---|---|\n", rows.collect())
        }
        _ => return String::new(),
    };
    format!("\n{head}{rows}")
}

fn function_entry(resolve: &Resolve, function: &Function, level: &str, owner: &str) -> String {
    let name = function.item_name();
    let mut text = format!(
        "\n{level} {owner}{name}\n\n```wit\n{}\n```\n",
        signature(resolve, function)
    );
    text += &paragraphs(&function.docs);
    text
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let (keyword, skipped) = match function.kind {
        FunctionKind::Static(_) => ("static func", 0),
        FunctionKind::Method(_) => ("func", 1),
        _ => ("func", 0),
    };
    let params = function.params.iter().skip(skipped);
    let params = params.map(|param| format!("{}: {}", param.name, types::name(resolve, &param.ty)));
    let result = function.result.as_ref();
    let result = result.map(|ty| format!(" -> {}", types::name(resolve, ty)));
    format!(
        "{}: {keyword}({}){}",
        function.item_name(),
        params.collect::<Vec<_>>().join(", "),
        result.unwrap_or_default()
    )
}

/// Nothing where there is no documentation.
fn paragraphs(docs: &Docs) -> String {
    let text = docs.contents.as_deref().unwrap_or_default().trim();
    if text.is_empty() {
        return String::new();
    }
    format!("\n{text}\n")
}

/// In one line, for a table.
fn cell(docs: &Docs) -> String {
    let words = docs.contents.as_deref().unwrap_or_default();
    let words: Vec<_> = words.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn first_sentence(docs: &Docs) -> String {
    let text = cell(docs);
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text,
    }
}

#[cfg(test)]
mod tests;
