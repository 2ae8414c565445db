//! A key that takes one of a few values: an enumeration.

use anyhow::{Context, Result, bail};
use syn::{Expr, Fields, ItemEnum, Variant};

use super::field;
use super::sources::Sources;
use super::value::{Scalar, Shape, shown};

pub(super) struct Choice {
    name: String,
    options: Vec<Choosable>,
    /// What `impl Default` says, where it is there.
    default: Option<Expr>,
}

/// One of the values.
struct Choosable {
    form: Form,
    about: String,
    is_default: bool,
}

enum Form {
    /// This word.
    Word(String),
    /// Anything of this type.
    Any(&'static Scalar),
}

impl Choice {
    pub(super) fn read(sources: &Sources, of: &ItemEnum) -> Result<Self> {
        let name = of.ident.to_string();
        let options = of.variants.iter().map(|one| Choosable::read(sources, one));
        Ok(Self {
            options: options
                .collect::<Result<_>>()
                .with_context(|| format!("`{name}`"))?,
            default: sources.made_by_default(&name).cloned(),
            name,
        })
    }

    pub(super) fn words(&self) -> String {
        let words = self.options.iter().map(|option| option.form.words());
        words.collect::<Vec<_>>().join(", ")
    }

    /// What each value means, where its name does not say that already.
    pub(super) fn explained(&self) -> String {
        self.options
            .iter()
            .filter_map(Choosable::explained)
            .collect()
    }

    /// Whether the type has one: it then stands for an `Option` of it, too.
    pub(super) fn has_default(&self) -> bool {
        self.default.is_some() || self.options.iter().any(|option| option.is_default)
    }

    pub(super) fn default(&self) -> Result<String> {
        if let Some(option) = self.options.iter().find(|option| option.is_default) {
            return Ok(option.form.words());
        }
        match &self.default {
            Some(value) => self.shown(value),
            None => bail!("`{}` has no `#[default]`", self.name),
        }
    }

    /// A value that is none of the words.
    pub(super) fn shown(&self, value: &Expr) -> Result<String> {
        let any = self.options.iter().find_map(|option| match option.form {
            Form::Any(scalar) => Some(scalar),
            Form::Word(_) => None,
        });
        match any {
            Some(scalar) => shown(value, scalar),
            None => bail!("`{}` has no words for its default", self.name),
        }
    }
}

impl Choosable {
    fn read(sources: &Sources, variant: &Variant) -> Result<Self> {
        let form = match &variant.fields {
            Fields::Unit => Form::Word(field::kebab(&variant.ident.to_string())),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                match sources.shape(&fields.unnamed[0].ty)? {
                    Shape::Value(scalar) => Form::Any(scalar),
                    _ => bail!("there are no words for its `{}`", variant.ident),
                }
            }
            _ => bail!("there are no words for its `{}`", variant.ident),
        };
        let marks = |one: &syn::Attribute| one.path().is_ident("default");
        Ok(Self {
            form,
            about: field::about(&variant.attrs),
            is_default: variant.attrs.iter().any(marks),
        })
    }

    fn explained(&self) -> Option<String> {
        let label = match &self.form {
            Form::Word(word) if self.about.trim_end_matches('.').eq_ignore_ascii_case(word) => {
                return None;
            }
            Form::Word(word) => format!("`{word}`"),
            Form::Any(scalar) => format!("A {}", scalar.words),
        };
        Some(format!(" {label}: {}", self.about))
    }
}

impl Form {
    fn words(&self) -> String {
        match self {
            Self::Word(word) => format!("`\"{word}\"`"),
            Self::Any(scalar) => scalar.words.to_owned(),
        }
    }
}
