//! What is written for a key, and what stands for it where nothing is.

use anyhow::{Context, Result, bail};
use syn::{Expr, ExprLit, GenericArgument, ItemStruct, Lit, PathArguments, Type};

use super::choice::Choice;
use super::field::{Default, Field};
use super::sources::Sources;

/// What a key holds.
pub(super) enum Shape<'a> {
    Value(&'static Scalar),
    Choice(Choice),
    /// Of what, in words.
    List(String),
    Table(&'a ItemStruct),
    /// An array of tables.
    Tables(&'a ItemStruct),
    /// Tables by names that the file chooses.
    Named(&'a ItemStruct),
}

/// A type that is one TOML value, and the words for it.
pub(super) struct Scalar {
    name: &'static str,
    pub(super) words: &'static str,
    many: &'static str,
}

const SCALARS: &[Scalar] = &[
    scalar("String", "text", "texts"),
    scalar("PathBuf", "path", "paths"),
    scalar("bool", "`true` or `false`", "`true` or `false`"),
    scalar("u8", "number", "numbers"),
    scalar("u16", "number", "numbers"),
    scalar("u32", "number", "numbers"),
    scalar("u64", "number", "numbers"),
    scalar("NonZeroU32", "number", "numbers"),
    scalar("Span", "time, like `\"10 ms\"`", "times"),
    scalar("Bytes", "size, like `\"4 KiB\"`", "sizes"),
    scalar("Framing", "framing, like `\"8N1\"`", "framings"),
    scalar("Rate", "rate, like `\"16 KiB/s\"`", "rates"),
];

const fn scalar(name: &'static str, words: &'static str, many: &'static str) -> Scalar {
    Scalar { name, words, many }
}

impl Shape<'_> {
    /// Nothing for what is a table.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            Self::Value(scalar) => Some(scalar.words.to_owned()),
            Self::Choice(choice) => Some(choice.words()),
            Self::List(words) => Some(words.clone()),
            Self::Table(_) | Self::Tables(_) | Self::Named(_) => None,
        }
    }
}

impl Sources {
    pub(super) fn shape(&self, kind: &Type) -> Result<Shape<'_>> {
        let (name, inner) = generic(kind)?;
        if let Some(scalar) = SCALARS.iter().find(|scalar| name == scalar.name) {
            return Ok(Shape::Value(scalar));
        }
        if let Some(structure) = self.structure(&name) {
            return Ok(Shape::Table(structure));
        }
        if let Some(choice) = self.enumeration(&name) {
            return Ok(Shape::Choice(Choice::read(self, choice)?));
        }
        match (name.as_str(), &inner[..]) {
            ("Option" | "Spanned", [inner]) => self.shape(inner),
            // Pairs, in the file's order.
            ("Vec", [Type::Tuple(_)]) => Ok(Shape::List("table of texts".to_owned())),
            ("Vec", [inner]) => match self.shape(inner)? {
                Shape::Table(structure) => Ok(Shape::Tables(structure)),
                Shape::Value(scalar) => Ok(Shape::List(format!("list of {}", scalar.many))),
                _ => bail!("there are no words for a list of that"),
            },
            ("HashMap" | "BTreeMap", [_, inner]) => match self.shape(inner)? {
                Shape::Table(structure) => Ok(Shape::Named(structure)),
                Shape::Value(scalar) => Ok(Shape::List(format!("table of {}", scalar.many))),
                _ => bail!("there are no words for a table of that"),
            },
            _ => bail!(
                "there are no words for `{name}`: add them to \
                 tests/xtask/src/board_reference/value.rs"
            ),
        }
    }

    /// What stands for `field` where a file does not name it.
    pub(super) fn when_absent(
        &self,
        structure: &ItemStruct,
        field: &Field,
        shape: &Shape,
    ) -> Result<String> {
        let optional = generic(field.kind)?.0 == "Option";
        // `LimitsEntry` is what a file says, `Limits` what holds.
        let effective = structure.ident.to_string();
        let effective = effective.strip_suffix("Entry").unwrap_or_default();
        let value = match &field.default {
            Default::Function(function) => Some(
                self.function(function)
                    .with_context(|| format!("`{function}` is not one expression"))?,
            ),
            _ if optional => self.default_of(effective, &field.name),
            Default::OfType => None,
            Default::Missing => return Ok("required".to_owned()),
        };
        match (value, shape) {
            (Some(value), Shape::Value(scalar)) => shown(value, scalar),
            (Some(value), Shape::Choice(choice)) => choice.shown(value),
            (None, Shape::Choice(choice)) if !optional || choice.has_default() => choice.default(),
            (None, Shape::Value(Scalar { name: "bool", .. })) if !optional => {
                Ok("`false`".to_owned())
            }
            (
                None,
                Shape::Value(Scalar {
                    name: "Framing", ..
                }),
            ) if !optional => Ok("`\"8N1\"`".to_owned()),
            (None, Shape::Value(Scalar { name: "u8", .. })) if !optional => Ok("`0`".to_owned()),
            (None, _) => Ok("none".to_owned()),
            (Some(_), _) => bail!("there are no words for its default"),
        }
    }
}

pub(super) fn shown(value: &Expr, scalar: &Scalar) -> Result<String> {
    let amount = amount(value).context("its default is not a plain number")?;
    Ok(match (scalar.name, amount) {
        (_, Amount::Time(text)) => format!("`\"{text}\"`"),
        ("Bytes", Amount::Number(number)) => format!("`\"{}\"`", size(number)),
        ("Rate", Amount::Number(number)) => format!("`\"{}/s\"`", size(number)),
        (_, Amount::Number(number)) => format!("`{number}`"),
    })
}

enum Amount {
    Number(u64),
    Time(String),
}

/// As much of constant evaluation as defaults need.
fn amount(value: &Expr) -> Option<Amount> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal),
            ..
        }) => literal.base10_parse().ok().map(Amount::Number),
        Expr::Binary(shift) if matches!(shift.op, syn::BinOp::Shl(_)) => {
            let (Amount::Number(number), Amount::Number(by)) =
                (amount(&shift.left)?, amount(&shift.right)?)
            else {
                return None;
            };
            let factor = 1_u64.checked_shl(u32::try_from(by).ok()?)?;
            number.checked_mul(factor).map(Amount::Number)
        }
        Expr::Call(call) => {
            let (Expr::Path(function), Some(argument)) = (&*call.func, call.args.first()) else {
                return None;
            };
            let function = function.path.segments.last()?.ident.to_string();
            match (function.as_str(), amount(argument)?) {
                ("from_millis", Amount::Number(number)) => {
                    Some(Amount::Time(format!("{number} ms")))
                }
                ("from_secs", Amount::Number(number)) => Some(Amount::Time(format!("{number} s"))),
                ("from_mins", Amount::Number(number)) => {
                    Some(Amount::Time(format!("{number} min")))
                }
                // A type or a variant around a number.
                (name, inner) if name.starts_with(char::is_uppercase) => Some(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

fn size(bytes: u64) -> String {
    let units = [(1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, name)| format!("{} {name}", bytes / unit),
    )
}

/// A type's name and the types between its angle brackets. Of a tuple, nothing.
fn generic(kind: &Type) -> Result<(String, Vec<&Type>)> {
    let Type::Path(kind) = kind else {
        bail!("there are no words for a type without a name");
    };
    let last = kind.path.segments.last().context("a path has segments")?;
    let inner = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(inner) => Some(inner),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    };
    Ok((last.ident.to_string(), inner))
}
