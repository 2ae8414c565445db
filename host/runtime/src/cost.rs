//! What compiling a component would cost, found out before it is compiled.
//!
//! Nothing stops a compilation that has begun, and its time is no function of
//! the size: a body of 28 KB with 2000 loops inside each other and 100 locals
//! takes 16 s, one of 84 KB with 5000 of them and 2000 locals six minutes. What
//! grows is the number of variables that reach a branch, and with nested loops
//! more than that. The bounds are far above what drivers have, and the worst
//! that was found within them takes a second or two.

mod structure;

use crate::error::ComponentError;
use structure::Structure;
use wasmparser::{BinaryReaderError, BlockType, FunctionBody, Operator, Parser, Payload};

/// The longest function body, in bytes.
const BODY_MAX: usize = 128 << 10;

/// The most locals of a function, parameters apart.
const LOCALS_MAX: u64 = 5_000;

/// How deep loops stand in each other.
const LOOPS_MAX: usize = 32;

/// Variables times branches, of all functions together.
const PATHS_MAX: u64 = 8_000_000;

/// What a block whose type is a function's may have of parameters and results.
const BLOCK_VALUES: u64 = 1_000;

/// Refuses a component that would take long to compile.
pub(crate) fn bounded(name: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    let name = name.to_owned();
    match excess(bytes) {
        Ok(None) => Ok(()),
        Ok(Some(cause)) => Err(ComponentError::TooCostly { name, cause }),
        Err(error) => Err(ComponentError::Invalid {
            name,
            cause: crate::text::last_words(&error.to_string()),
        }),
    }
}

/// What is over its bound, with the remedy.
fn excess(bytes: &[u8]) -> Result<Option<String>, BinaryReaderError> {
    let mut paths = 0;
    let mut structure = Structure::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let mut excess = None;
        if let Payload::CodeSectionEntry(body) = &payload {
            let function = Function::read(body)?;
            paths += function.paths();
            excess = function.excess().or_else(|| too_many(paths));
            excess = excess.map(|what| {
                format!("{what}; split that function, or build the driver in release mode")
            });
        } else {
            structure.look_at(&payload)?;
        }
        if let Some(cause) = excess.or_else(|| structure.excess()) {
            return Ok(Some(cause));
        }
    }
    Ok(None)
}

fn too_many(paths: u64) -> Option<String> {
    (paths > PATHS_MAX).then(|| {
        format!("its functions have more than {PATHS_MAX} pairs of a variable and a branch")
    })
}

/// What counts of a function.
struct Function {
    /// In the file.
    offset: usize,
    length: usize,
    locals: u64,
    /// Locals and parameters that the code names, or rather the highest index.
    variables: u64,
    branches: u64,
    /// For each block with values of its own, as many as it may have.
    values: u64,
    loops: usize,
}

impl Function {
    fn read(body: &FunctionBody<'_>) -> Result<Self, BinaryReaderError> {
        let range = body.range();
        let mut function = Self {
            offset: range.start,
            length: range.len(),
            locals: 0,
            variables: 0,
            branches: 0,
            values: 0,
            loops: 0,
        };
        for group in body.get_locals_reader()? {
            function.locals += u64::from(group?.0);
        }
        // Refused as it is: no need to look further into it.
        if function.excess().is_none() {
            function.count(body)?;
        }
        Ok(function)
    }

    fn count(&mut self, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        // Of the blocks that are open, which are loops.
        let mut open = Vec::new();
        let mut loops = 0;
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            if let Some(block) = block(&operator) {
                let is_loop = matches!(operator, Operator::Loop { .. });
                open.push(is_loop);
                loops += usize::from(is_loop);
                self.loops = self.loops.max(loops);
                if matches!(block, BlockType::FuncType(_)) {
                    self.values += BLOCK_VALUES;
                }
            } else if matches!(operator, Operator::End) {
                // The last one is the function's own.
                loops -= usize::from(open.pop().unwrap_or(false));
            }
            self.branches += branches(&operator);
            self.variables = self.variables.max(variables(&operator));
        }
        Ok(())
    }

    fn paths(&self) -> u64 {
        self.variables * self.branches + self.values
    }

    /// What is over its bound.
    fn excess(&self) -> Option<String> {
        let what = if self.length > BODY_MAX {
            format!("has {} bytes, more than {BODY_MAX}", self.length)
        } else if self.locals > LOCALS_MAX {
            format!("has {} locals, more than {LOCALS_MAX}", self.locals)
        } else if self.loops > LOOPS_MAX {
            format!(
                "has {} loops inside each other, more than {LOOPS_MAX}",
                self.loops
            )
        } else {
            return None;
        };
        Some(format!("its function at byte {} {what}", self.offset))
    }
}

/// The type of the block that the operator opens.
fn block(operator: &Operator<'_>) -> Option<BlockType> {
    match operator {
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            Some(*blockty)
        }
        Operator::TryTable { try_table } => Some(try_table.ty),
        _ => None,
    }
}

/// How many ways control can go from here, besides on.
fn branches(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Else
        | Operator::Br { .. }
        | Operator::BrIf { .. }
        | Operator::BrOnNull { .. }
        | Operator::BrOnNonNull { .. } => 1,
        Operator::BrTable { targets } => u64::from(targets.len()) + 1,
        Operator::TryTable { try_table } => try_table.catches.len() as u64 + 1,
        _ => 0,
    }
}

/// The lowest number of variables with which the operator makes sense.
fn variables(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::LocalGet { local_index }
        | Operator::LocalSet { local_index }
        | Operator::LocalTee { local_index } => u64::from(*local_index) + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::time::{Duration, Instant};

    fn component(functions: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module {functions}))")).unwrap()
    }

    fn function(locals: usize, body: &str) -> String {
        format!(
            "(func (param i32) (local {}) {body})",
            "i32 ".repeat(locals)
        )
    }

    /// So many loops, `depth` of them inside each other, over all the locals.
    fn loops(locals: usize, count: usize, depth: usize) -> String {
        let mut body = String::new();
        for i in 0..count {
            let (one, other) = (1 + i % locals, 1 + i * 7 % locals);
            let _ = write!(
                body,
                "(loop (local.set {one} (i32.add (local.get {other}) (i32.const 1)))"
            );
            if (i + 1) % depth == 0 {
                body += &"(br_if 0 (local.get 0)))".repeat(depth);
            }
        }
        body += &"(br_if 0 (local.get 0)))".repeat(count % depth);
        function(locals, &body)
    }

    fn refusal(functions: &str) -> String {
        bounded("d.wasm", &component(functions))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_would_take_long_is_refused_at_once_with_cause_and_remedy() {
        let flat = "(local.set 1 (i32.const 1))".repeat(33_000);
        let branches = "(block (br_if 0 (local.get 1000)))".repeat(5_000);
        for (functions, words) in [
            (function(1, &flat), "bytes, more than 131072"),
            (function(5_001, ""), "has 5001 locals, more than 5000"),
            (
                loops(100, 2_000, 2_000),
                "has 2000 loops inside each other, more than 32",
            ),
            (
                function(1000, &branches),
                "pairs of a variable and a branch",
            ),
        ] {
            let begun = Instant::now();
            let text = refusal(&functions);
            assert!(begun.elapsed() < Duration::from_secs(10));
            assert!(text.starts_with("`d.wasm` would take"), "{text}");
            assert!(text.contains(words) && text.contains("; split"), "{text}");
        }
    }

    #[test]
    fn what_is_just_within_the_bounds_is_not_refused() {
        let flat = "(local.set 1 (i32.const 1))".repeat(32_000);
        for functions in [
            function(5_000, ""),
            function(1, &flat),
            loops(100, 32, 32),
            loops(100, 31, 1),
        ] {
            bounded("d.wasm", &component(&functions)).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_read_is_invalid() {
        let mut bytes = component(&function(3, "(loop)"));
        bytes.truncate(bytes.len() - 3);
        let error = bounded("d.wasm", &bytes).unwrap_err();
        assert!(matches!(error, ComponentError::Invalid { .. }), "{error}");
    }
}
