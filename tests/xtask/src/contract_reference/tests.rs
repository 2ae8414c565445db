use super::*;

fn of(wit: &str) -> String {
    let mut resolve = Resolve::default();
    resolve.push_str("test.wit", wit).unwrap();
    reference(&resolve).unwrap()
}

const CONTRACT: &str = "
package a:b@0.1.0;
/// Words. All of them.
interface types {
    /// What goes wrong.
    enum error-code {
        /// The caller's | fault.
        bad,
    }
}
/// Things.
interface things {
    use types.{error-code};
    type token = u32;
    record pair { first: token, second: list<u8> }
    /// A thing.
    resource thing {
        /// Makes one.
        make: static func(token: token) -> result<thing, error-code>;
        take: func(other: option<borrow<thing>>) -> tuple<u32, bool>;
    }
    wait: func() -> result<_, error-code>;
}
interface handlers { start: func(); }
world driver { import things; export handlers; }
";

#[test]
fn what_a_driver_imports_and_exports_is_listed_first() {
    let text = of(CONTRACT);
    let (list, _) = text.split_once("\n## ").unwrap();
    for row in [
        "| [`types`](#types) | imports it | Words. |",
        "| [`things`](#things) | imports it | Things. |",
        "| [`handlers`](#handlers) | exports it |  |",
    ] {
        assert!(list.contains(row), "{list}");
    }
}

#[test]
fn types_have_their_parts_and_functions_their_signatures() {
    let text = of(CONTRACT);
    for part in [
        "### enum `error-code`\n\nWhat goes wrong.\n",
        "| `bad` | The caller's \\| fault. |",
        "From elsewhere: [`error-code`](#types).",
        "### type `token` = `u32`",
        "| `second` | `list<u8>` |  |",
        "### resource `thing`\n\nA thing.\n",
        "#### thing.make\n\n```wit\nmake: static func(token: token) -> result<thing, error-code>\n```\n\nMakes one.\n",
        "take: func(other: option<borrow<thing>>) -> tuple<u32, bool>\n",
        "### wait\n\n```wit\nwait: func() -> result<_, error-code>\n```\n",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}
