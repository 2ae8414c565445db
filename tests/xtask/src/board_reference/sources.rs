//! The declarations that the reference is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::{Expr, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, Stmt, Type};

/// Types by their names, and expressions that say what a default is.
#[derive(Default)]
pub(super) struct Sources {
    structures: BTreeMap<String, ItemStruct>,
    enumerations: BTreeMap<String, ItemEnum>,
    /// What a function without a body but one expression returns.
    functions: BTreeMap<String, Expr>,
    /// By type and field, from `impl Default`.
    defaults: BTreeMap<(String, String), Expr>,
}

impl Sources {
    /// Reads files, and the files in folders.
    pub(super) fn read(paths: impl Iterator<Item = PathBuf>) -> Result<Self> {
        let mut sources = Self::default();
        for path in paths {
            for file in files(&path)? {
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("cannot read `{}`", file.display()))?;
                sources
                    .add(&text)
                    .with_context(|| format!("`{}` is not Rust", file.display()))?;
            }
        }
        Ok(sources)
    }

    pub(super) fn add(&mut self, text: &str) -> Result<()> {
        for item in syn::parse_file(text)?.items {
            match item {
                Item::Struct(item) => {
                    self.structures.insert(item.ident.to_string(), item);
                }
                Item::Enum(item) => {
                    self.enumerations.insert(item.ident.to_string(), item);
                }
                Item::Fn(item) => {
                    if let [Stmt::Expr(value, None)] = &item.block.stmts[..] {
                        let name = item.sig.ident.to_string();
                        self.functions.insert(name, value.clone());
                    }
                }
                Item::Impl(item) => self.add_defaults(&item),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn structure(&self, name: &str) -> Option<&ItemStruct> {
        self.structures.get(name)
    }

    pub(super) fn enumeration(&self, name: &str) -> Option<&ItemEnum> {
        self.enumerations.get(name)
    }

    pub(super) fn function(&self, name: &str) -> Option<&Expr> {
        self.functions.get(name)
    }

    /// What `impl Default for TYPE` gives a field.
    pub(super) fn default_of(&self, structure: &str, field: &str) -> Option<&Expr> {
        self.defaults.get(&(structure.to_owned(), field.to_owned()))
    }

    fn add_defaults(&mut self, item: &ItemImpl) {
        let is_default = |path: &syn::Path| path.is_ident("Default");
        let Type::Path(of) = &*item.self_ty else {
            return;
        };
        let name = of.path.get_ident().map(ToString::to_string);
        let (Some((path, _)), Some(name)) = (&item.trait_, name) else {
            return;
        };
        let Some(value) = body(item).filter(|_| is_default(path)) else {
            return;
        };
        for field in &value.fields {
            if let syn::Member::Named(field_name) = &field.member {
                let key = (name.clone(), field_name.to_string());
                self.defaults.insert(key, field.expr.clone());
            }
        }
    }
}

/// The `Self { ... }` that the only function of an `impl Default` returns.
fn body(item: &ItemImpl) -> Option<&syn::ExprStruct> {
    let [ImplItem::Fn(function)] = &item.items[..] else {
        return None;
    };
    match &function.block.stmts[..] {
        [Stmt::Expr(Expr::Struct(value), None)] => Some(value),
        _ => None,
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    crate::check::sources(path).with_context(|| format!("cannot list `{}`", path.display()))
}
