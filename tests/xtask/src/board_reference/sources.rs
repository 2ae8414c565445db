//! The declarations that the reference is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::{Expr, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, Member, Stmt, Type};

/// Types by their names, and expressions that say what a default is.
#[derive(Default)]
pub(super) struct Sources {
    structures: BTreeMap<String, ItemStruct>,
    enumerations: BTreeMap<String, ItemEnum>,
    /// What a function without a body but one expression returns.
    functions: BTreeMap<String, Expr>,
    /// What `impl Default` makes of a type.
    defaults: BTreeMap<String, Expr>,
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
                Item::Impl(item) => self.add_default(item),
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

    pub(super) fn made_by_default(&self, name: &str) -> Option<&Expr> {
        self.defaults.get(name)
    }

    /// What `impl Default` gives a field of a type.
    pub(super) fn default_of(&self, structure: &str, field: &str) -> Option<&Expr> {
        let Expr::Struct(value) = self.made_by_default(structure)? else {
            return None;
        };
        let is_it = |member: &Member| matches!(member, Member::Named(name) if name == field);
        let field = value.fields.iter().find(|one| is_it(&one.member))?;
        Some(&field.expr)
    }

    fn add_default(&mut self, item: ItemImpl) {
        let Some((path, _)) = &item.trait_ else {
            return;
        };
        let (true, Type::Path(of)) = (path.is_ident("Default"), *item.self_ty) else {
            return;
        };
        let name = of.path.get_ident().map(ToString::to_string);
        let [ImplItem::Fn(function)] = &item.items[..] else {
            return;
        };
        if let (Some(name), [Stmt::Expr(value, None)]) = (name, &function.block.stmts[..]) {
            self.defaults.insert(name, value.clone());
        }
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    crate::check::sources(path).with_context(|| format!("cannot list `{}`", path.display()))
}
