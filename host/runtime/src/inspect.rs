//! What a component is, and what a board would grant it, without running it.

use crate::board_file::{BoardFile, DriverEntry};
use crate::cache::Cache;
use crate::engine::{Engine, digest, read, verify};
use crate::error::ComponentError;
use crate::interface::{self, wasi_i2c};
use crate::precompiled::is_code;
use crate::target::Target;
use std::path::Path;
use std::sync::Arc;
use words::granted;

mod words;

/// What [`inspect`] found.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// The component's file.
    pub component: String,
    /// Whether it would be loaded.
    pub loads: bool,
    /// Why it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What it imports: each with whether this host has it.
    pub imports: Vec<Finding>,
    /// Whose lines the board's are: `sim` or `linux`; nothing without a board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<&'static str>,
    /// What the board's entry grants it; empty without a board.
    pub grants: Vec<String>,
    /// What the entry grants and the component has no call for.
    pub unused: Vec<String>,
    /// What is missing for it to run, each with a remedy.
    pub missing: Vec<String>,
}

/// One import of a component.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The instance, for example `loopgate:driver/gpio@0.1.0`.
    pub import: String,
    /// Whether this host has it.
    pub known: bool,
    /// What it lets the driver do, for people.
    pub meaning: &'static str,
}

/// Loads a component without running it, and holds its imports against the
/// entries that `board` has for it.
pub fn inspect(component: &Path, board: Option<&BoardFile>) -> Result<Inspection, ComponentError> {
    let name = component.display().to_string();
    let bytes = read(component)?;
    let cache = Cache::default_directory();
    let engine = engine(
        &name,
        cache.and_then(|directory| Cache::open(&directory).ok()),
    )?;
    let entries = board.map_or_else(Vec::new, |board| entries_for(board, component));
    let compiled = if is_code(&bytes) {
        let found = digest(&bytes);
        let trusted = entries.iter().any(|entry| entry.digest() == Some(found));
        engine.take(component, &bytes, trusted)?.0
    } else {
        engine.compile(&name, &bytes)?
    };
    let imports: Vec<Finding> = interface::imports(engine.wasmtime(), &compiled)
        .into_iter()
        .map(finding)
        .collect();
    let cause = engine
        .link(&name, &compiled)
        .err()
        .map(|error| error.to_string());
    let mut missing: Vec<String> = cause.iter().cloned().collect();
    let of_wasi = imports.iter().any(|one| wasi_i2c::is_bus(&one.import));
    if of_wasi && !wasi_i2c::is_wanted(engine.wasmtime(), &compiled) {
        missing.push(wasi_i2c::UNWANTED.to_owned());
    }
    let (mut grants, mut unused) = (Vec::new(), Vec::new());
    if let Some(board) = board {
        if entries.is_empty() {
            missing.push(format!("the board `{}` has no driver with this component; add a `[[driver]]` with `component = \"{}\"`", board.path().display(), component.display()));
        }
        for entry in entries {
            grants.extend(granted(board, entry));
            let meant = verify(component, entry.digest(), digest(&bytes));
            missing.extend(meant.err().map(|error| error.to_string()));
            for difference in differences(entry) {
                let can_call =
                    |function: &&str| interface::can_call(engine.wasmtime(), &compiled, function);
                match (difference.calls.iter().any(can_call), difference.grants) {
                    (true, false) => missing.push(difference.missing),
                    (false, true) => unused.push(difference.unused),
                    (true, true) | (false, false) => {}
                }
            }
            for (bus, table, grants) in buses(entry) {
                let driver = entry.name.get_ref();
                let interface = format!("/{table}@");
                let imports = imports.iter().any(|one| one.import.contains(&interface));
                match (imports, grants) {
                    (true, false) => missing.push(format!(
                        "`{driver}` uses devices on {bus} buses, but its entry grants none; add `[driver.{table}]`"
                    )),
                    (false, true) => unused.push(format!(
                        "`{driver}` is granted devices on {bus} buses, and has no call for them"
                    )),
                    (true, true) | (false, false) => {}
                }
            }
        }
    }
    Ok(Inspection {
        component: name,
        loads: cause.is_none(),
        cause,
        imports,
        backend: board.map(|board| board.board.backend.name()),
        grants,
        unused,
        missing,
    })
}

/// Compiles a component for hosts of this release: a file that a board can name in its
/// place, with its digest as `sha256`. Without a target it is for this machine, and what
/// its processor has; with one, for all of that kind.
///
/// # Errors
/// Why it would not load; that this host has no compiler for the target.
pub fn compile(component: &Path, target: Option<&Target>) -> Result<Vec<u8>, ComponentError> {
    let name = component.display().to_string();
    let bytes = read(component)?;
    engine(&name, None)?.precompile(&name, &bytes, target)
}

fn engine(name: &str, cache: Option<Cache>) -> Result<Arc<Engine>, ComponentError> {
    Engine::new(cache).map_err(|cause| ComponentError::Invalid {
        name: name.to_owned(),
        cause,
    })
}

fn finding(import: String) -> Finding {
    let known = interface::is_known(&import);
    let interface = import
        .rsplit('/')
        .next()
        .unwrap_or("")
        .split('@')
        .next()
        .unwrap_or("");
    let meaning = match (import.starts_with("loopgate:driver/"), interface) {
        (true, "gpio") => "pins, those that the board grants",
        (true, "serial") => "serial ports, those that the board grants",
        (true, "i2c") => "devices on I2C buses, those that the board grants",
        (true, "spi") => "devices on SPI buses, those that the board grants",
        (true, "interrupt") => "edges of those pins, input of those ports",
        (true, "request") => "services: its own, and those that the board lets it use",
        (true, "work-loop") => "timers, interrupts and gates on its loop",
        (true, "log") => "lines in the host's log",
        (true, _) => "types",
        (false, "i2c") if known => "devices on I2C buses, those that the board grants",
        (false, "delay") if known => "delays, charged to the handler",
        (false, _) if known => "standard library; nothing outside, nothing that blocks",
        (false, _) => "not offered to drivers",
    };
    Finding {
        import,
        known,
        meaning,
    }
}

/// The entries whose component is this file.
fn entries_for<'a>(board: &'a BoardFile, component: &Path) -> Vec<&'a DriverEntry> {
    let same = |path: &Path| match (path.canonicalize(), component.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    board
        .drivers
        .iter()
        .filter(|entry| same(&board.resolve(entry.component.get_ref())))
        .collect()
}

/// One kind of grant, held against the calls that need it. Names are chosen at run
/// time, so only whole kinds can differ here.
struct Difference {
    calls: &'static [&'static str],
    /// Whether the entry grants any.
    grants: bool,
    missing: String,
    unused: String,
}

/// Devices on buses, whose calls have the same names: which bus, its table and
/// interface, and whether the entry grants any.
fn buses(entry: &DriverEntry) -> [(&'static str, &'static str, bool); 2] {
    [
        ("I2C", "i2c", !entry.i2c.is_empty()),
        ("SPI", "spi", !entry.spi.is_empty()),
    ]
}

fn differences(entry: &DriverEntry) -> [Difference; 4] {
    let driver = entry.name.get_ref();
    let difference = |calls, grants, does: &str, what: &str, where_to: &str| Difference {
        calls,
        grants,
        missing: format!("`{driver}` {does} {what}, but its entry grants none; {where_to}"),
        unused: format!("`{driver}` is granted {what}, and has no call for them"),
    };
    let (pins, ports) = (!entry.gpio.is_empty(), !entry.serial.is_empty());
    let (provides, uses) = (!entry.provides.is_empty(), !entry.uses.is_empty());
    // A service can be pins alone, and so are the board's own.
    let opens: &[_] = &["[static]client.open", "[static]pin.open"];
    let opens = if pins && uses { opens } else { &opens[..1] };
    [
        difference(
            &["[static]pin.open"],
            pins,
            "uses",
            "pins",
            "add `[driver.gpio]`",
        ),
        difference(
            &["[static]port.open"],
            ports,
            "uses",
            "serial ports",
            "add `[driver.serial]`",
        ),
        difference(
            &["publish", "publish-pins"],
            provides,
            "publishes",
            "services",
            "add them to `provides`",
        ),
        difference(
            opens,
            uses,
            "opens",
            "services of other drivers",
            "add them to `uses`",
        ),
    ]
}
