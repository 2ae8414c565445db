//! Types, as WIT writes them.

use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// The interface and the name that a `use` refers to; nothing for a type that
/// its interface defines itself.
pub(super) fn origin(resolve: &Resolve, id: TypeId) -> Option<(&str, &str)> {
    let definition = &resolve.types[id];
    let TypeDefKind::Type(Type::Id(used)) = definition.kind else {
        return None;
    };
    let used = &resolve.types[used];
    match (used.owner, definition.owner) {
        (TypeOwner::Interface(from), TypeOwner::Interface(here)) if from != here => Some((
            resolve.interfaces[from].name.as_deref()?,
            used.name.as_deref()?,
        )),
        _ => None,
    }
}

pub(super) fn name(resolve: &Resolve, ty: &Type) -> String {
    let word = match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => return defined(resolve, *id),
    };
    word.to_owned()
}

fn defined(resolve: &Resolve, id: TypeId) -> String {
    let definition = &resolve.types[id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let of = |ty: &Type| name(resolve, ty);
    let or_none = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), of);
    match &definition.kind {
        TypeDefKind::Handle(Handle::Own(resource)) => defined(resolve, *resource),
        TypeDefKind::Handle(Handle::Borrow(resource)) => {
            format!("borrow<{}>", defined(resolve, *resource))
        }
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple.types.iter().map(of).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", of(ty)),
        TypeDefKind::List(ty) => format!("list<{}>", of(ty)),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{}>", of(ok)),
            (ok, Some(_)) => format!("result<{}, {}>", or_none(ok), or_none(&result.err)),
        },
        // The contract uses no others without a name.
        other => other.as_str().to_owned(),
    }
}
