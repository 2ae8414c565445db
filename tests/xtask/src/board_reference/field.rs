//! A key of a TOML table: a field, as serde reads it.

use anyhow::{Result, bail};
use syn::{Attribute, Expr, ExprLit, ItemStruct, Lit, LitStr, Meta, Type};

pub(super) struct Field<'a> {
    /// As it is written in the file.
    pub(super) key: String,
    /// The field's name in its type.
    pub(super) name: String,
    pub(super) kind: &'a Type,
    /// The doc comment, on one line.
    pub(super) about: String,
    pub(super) default: Default,
}

/// What stands for a key that is absent.
pub(super) enum Default {
    /// Nothing: the file is refused, unless the type is an `Option`.
    Missing,
    /// What the type has.
    OfType,
    /// What a function returns.
    Function(String),
}

/// The fields that a file can name.
pub(super) fn all(structure: &ItemStruct) -> Result<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    for field in &structure.fields {
        let serde = Serde::read(&field.attrs)?;
        let (Some(name), false) = (&field.ident, serde.skip) else {
            continue;
        };
        let about = about(&field.attrs);
        if about.is_empty() {
            bail!(
                "`{name}` of `{}` has no doc comment: write one",
                structure.ident
            );
        }
        fields.push(Field {
            key: serde.rename.unwrap_or_else(|| kebab(&name.to_string())),
            name: name.to_string(),
            kind: &field.ty,
            about,
            default: serde.default,
        });
    }
    Ok(fields)
}

/// What serde makes of a name with `rename_all = "kebab-case"`, which every
/// type of the board file has.
pub(super) fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(c.to_lowercase());
    }
    kebab.replace('_', "-")
}

pub(super) fn about(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else {
            return None;
        };
        match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) if meta.path.is_ident("doc") => Some(line.value().trim().to_owned()),
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// What the attributes `serde(...)` say of it.
struct Serde {
    rename: Option<String>,
    default: Default,
    skip: bool,
}

impl Serde {
    fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut serde = Self {
            rename: None,
            default: Default::Missing,
            skip: false,
        };
        for attribute in attributes.iter().filter(|one| one.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| {
                let text = match meta.value() {
                    Ok(value) => Some(value.parse::<LitStr>()?.value()),
                    Err(_) => None,
                };
                match (
                    meta.path.get_ident().map(ToString::to_string).as_deref(),
                    text,
                ) {
                    (Some("rename"), text) => serde.rename = text,
                    (Some("default"), Some(function)) => {
                        serde.default = Default::Function(function);
                    }
                    (Some("default"), None) => serde.default = Default::OfType,
                    (Some("skip"), _) => serde.skip = true,
                    // How it is read changes nothing about what is written.
                    (Some("deserialize_with"), _) => {}
                    _ => return Err(meta.error("the reference does not know this attribute")),
                }
                Ok(())
            })?;
        }
        Ok(serde)
    }
}
