//! Drivers that misbehave where no compiler would let them: `minimal.wat` with
//! a change each, as the component `raw_NAME`.

use anyhow::{Context, Result, bail};

use super::core_modules::{Contract, SOURCES};
use crate::workspace::Workspace;

const MINIMAL: &str = "minimal.wat";

/// What is added to the text.
struct Change {
    name: &'static str,
    /// Before what, which stands there once; empty for the end of the module.
    place: &'static str,
    text: &'static str,
}

const fn added(name: &'static str, text: &'static str) -> Change {
    Change {
        name,
        place: "",
        text,
    }
}

/// The first thing that `cabi_realloc` does: the host asks it for room for what
/// it hands over.
const fn realloc(name: &'static str, text: &'static str) -> Change {
    Change {
        name,
        place: "    (local.set $block",
        text,
    }
}

/// Before `start` returns.
const fn started(name: &'static str, text: &'static str) -> Change {
    Change {
        name,
        place: "    (global.get $started))",
        text,
    }
}

/// Before `save-state` returns. It fills in: at 144 the case, from 148 on the
/// version, and address and length of the bytes.
const fn saved(name: &'static str, text: &'static str) -> Change {
    Change {
        name,
        place: "    (global.get $stateless))",
        text,
    }
}

/// The first thing that a timeout does.
const fn timeout(name: &'static str, text: &'static str) -> Change {
    Change {
        name,
        place: "    (global.set $high",
        text,
    }
}

const SPIN: &str = "(loop $on (br $on))";

const CHANGES: &[Change] = &[
    added(
        "early_spin",
        "(func $early (loop $on (br $on))) (start $early)",
    ),
    added("early_trap", "(func $early unreachable) (start $early)"),
    added("early_recursion", "(func $early (call $early)) (start $early)"),
    added(
        "early_memory",
        "(func $early (loop $on (br_if $on (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)
         (start $early)",
    ),
    added(
        "early_import",
        "(func $early (drop (call $work_loop_get))) (start $early)",
    ),
    added("memory_large", "(memory 1000)"),
    added("memory_endless", "(memory $wide i64 1 0x1000000000000)
         (func $early (drop (memory.grow $wide (i64.const 0xffffffffffff))) unreachable) (start $early)"),
    added(
        "memories",
        "(memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)
         (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)",
    ),
    added("table_large", "(table 30000 funcref)"),
    // The second growth would be past 2^64 elements of all tables together.
    added(
        "table_endless",
        "(table $one i64 1000 funcref) (table $other i64 1000 funcref)
         (func $early
           (drop (table.grow $one (ref.null func) (i64.const 0xfffffffffffffc17)))
           (drop (table.grow $one (ref.null func) (i64.const 0xfffffffffffffc17)))
           (drop (table.grow $other (ref.null func) (i64.const 19000)))
           (if (i64.gt_u (table.size $other) (i64.const 19000)) (then (loop $on (br $on))))
           unreachable)
         (start $early)",
    ),
    added("data_beyond", "(data (i32.const 65536) \"x\")"),
    added(
        "post_return_spin",
        "(func (export \"cabi_post_loopgate:driver/handlers@0.1.0#start\") (param i32) (loop $on (br $on)))",
    ),
    added(
        "post_return_import",
        "(func (export \"cabi_post_loopgate:driver/handlers@0.1.0#start\") (param i32)
           (drop (call $work_loop_get)))",
    ),
    realloc("realloc_spin", SPIN),
    realloc("realloc_beyond", "(return (i32.const -16))"),
    realloc("realloc_odd", "(return (i32.const 1))"),
    realloc("realloc_import", "(drop (call $work_loop_get))"),
    started("result_beyond", "(return (i32.const -4))"),
    started("result_odd", "(return (i32.const 17))"),
    started(
        "result_case",
        "(i32.store8 (global.get $started) (i32.const 7))",
    ),
    started(
        "text_not_utf8",
        "(i32.store8 (i32.const 300) (i32.const 255))
         (i32.store8 (global.get $started) (i32.const 1))
         (i32.store offset=4 (global.get $started) (i32.const 300))
         (i32.store offset=8 (global.get $started) (i32.const 1))",
    ),
    started(
        "text_beyond",
        "(i32.store8 (global.get $started) (i32.const 1))
         (i32.store offset=4 (global.get $started) (i32.const 300))
         (i32.store offset=8 (global.get $started) (i32.const -1))",
    ),
    started(
        "text_long",
        "(drop (memory.grow (i32.const 8)))
         (i32.store8 (global.get $started) (i32.const 1))
         (i32.store offset=4 (global.get $started) (i32.const 300))
         (i32.store offset=8 (global.get $started) (i32.const 500000))",
    ),
    saved("state_spin", SPIN),
    saved("state_case", "(i32.store8 (i32.const 144) (i32.const 7))"),
    saved(
        "state_beyond",
        "(i32.store8 (i32.const 144) (i32.const 0))
         (i32.store (i32.const 152) (i32.const 300))
         (i32.store (i32.const 156) (i32.const -1))",
    ),
    saved(
        "state_long",
        "(drop (memory.grow (i32.const 8)))
         (i32.store8 (i32.const 144) (i32.const 0))
         (i32.store (i32.const 152) (i32.const 300))
         (i32.store (i32.const 156) (i32.const 500000))",
    ),
    timeout(
        "fill",
        "(drop (memory.grow (i32.const 60)))
         (loop $on (memory.fill (i32.const 2048) (i32.const 0) (i32.const 3900000)) (br $on))",
    ),
    timeout(
        "grow_nothing",
        "(loop $on (drop (memory.grow (i32.const 0))) (br $on))",
    ),
    timeout(
        "grow_refused",
        "(loop $on (drop (memory.grow (i32.const 9999))) (br $on))",
    ),
    timeout(
        "grow_up",
        "(loop $on (br_if $on (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
    ),
    timeout("table_up", "(loop $on (br_if $on (i32.ne (table.grow $grows (ref.null func) (i32.const 100)) (i32.const -1)))) unreachable"),
    timeout("tail_calls", "(call $tail)"),
    timeout("division", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
    timeout("beyond_memory", "(drop (i32.load (i32.const -4)))"),
    timeout(
        "no_such_function",
        "(call_indirect (type $nothing) (i32.const 7))",
    ),
];

/// What some changes refer to.
const COMMON: &str = "
  (type $nothing (func))
  (table $grows 10 funcref)
  (func $tail (return_call $tail))
";

pub(super) fn components(workspace: &Workspace) -> Result<Vec<(String, Vec<u8>)>> {
    let path = workspace.root.join(SOURCES).join(MINIMAL);
    let minimal = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let contract = Contract::read(&workspace.root.join("wit"))?;
    let component = |change: &Change| {
        let name = format!("raw_{}", change.name);
        let made = changed(&minimal, change)
            .and_then(|text| Ok(wat::parse_str(text)?))
            .and_then(|module| contract.component(module));
        let made = made.with_context(|| format!("cannot make the component `{name}`"));
        made.map(|bytes| (name, bytes))
    };
    CHANGES.iter().map(component).collect()
}

fn changed(minimal: &str, change: &Change) -> Result<String> {
    let (body, end) = minimal
        .rsplit_once(')')
        .with_context(|| format!("`{MINIMAL}` is no module"))?;
    let Change { place, text, .. } = change;
    let parts: Vec<&str> = body.split(place).collect();
    match parts[..] {
        _ if place.is_empty() => Ok(format!("{body}{COMMON}{text}){end}")),
        [before, after] => Ok(format!("{before}{text}\n{place}{after}{COMMON}){end}")),
        _ => bail!("`{MINIMAL}` has `{place}` not exactly once; bring the change into line"),
    }
}
