//! What a component is, and what a board would grant it, without running it.

use crate::board_file::{BoardFile, DriverEntry, PinEdges};
use crate::cache::Cache;
use crate::engine::{Engine, digest, read, verify};
use crate::error::ComponentError;
use crate::interface;
use std::path::Path;

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
    let engine =
        Engine::new(Cache::default_directory().and_then(|directory| Cache::open(&directory).ok()))
            .map_err(|cause| ComponentError::Invalid {
                name: name.clone(),
                cause,
            })?;
    let compiled = engine.compile(&name, &bytes)?;
    let imports: Vec<Finding> = interface::imports(engine.wasmtime(), &compiled)
        .into_iter()
        .map(finding)
        .collect();
    let cause = engine
        .link(&name, &compiled)
        .err()
        .map(|error| error.to_string());
    let mut missing: Vec<String> = cause.iter().cloned().collect();
    let mut grants = Vec::new();
    if let Some(board) = board {
        let entries = entries_for(board, component);
        if entries.is_empty() {
            missing.push(format!("the board `{}` has no driver with this component; add a `[[driver]]` with `component = \"{}\"`", board.path().display(), component.display()));
        }
        for entry in entries {
            grants.extend(granted(entry));
            let meant = verify(component, entry.digest(), digest(&bytes));
            missing.extend(meant.err().map(|error| error.to_string()));
            missing.extend(lacking(entry, |function| {
                interface::can_call(engine.wasmtime(), &compiled, function)
            }));
        }
    }
    Ok(Inspection {
        component: name,
        loads: cause.is_none(),
        cause,
        imports,
        backend: board.map(|board| board.board.backend.name()),
        grants,
        missing,
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
        (true, "interrupt") => "edges of those pins, input of those ports",
        (true, "request") => "services: its own, and those that the board lets it use",
        (true, "work-loop") => "timers, interrupts and gates on its loop",
        (true, "log") => "lines in the host's log",
        (true, _) => "types",
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

fn granted(entry: &DriverEntry) -> Vec<String> {
    let driver = entry.name.get_ref();
    let pins = entry.gpio_in_order().into_iter().map(|(name, pin)| {
        let edges = pin.edges.map_or(String::new(), |edges| match edges {
            PinEdges::HighLevel => ", interrupts while high".to_owned(),
            PinEdges::LowLevel => ", interrupts while low".to_owned(),
            PinEdges::Rising | PinEdges::Falling | PinEdges::Both => format!(
                ", interrupts on {} edges",
                format!("{edges:?}").to_lowercase()
            ),
        });
        format!(
            "`{driver}`: pin `{name}` = line `{}`, {}{edges}",
            pin.line.get_ref(),
            format!("{:?}", pin.direction).to_lowercase()
        )
    });
    let provides = entry.provides.iter().map(|service| {
        format!(
            "`{driver}`: may publish the service `{}`",
            service.get_ref()
        )
    });
    let uses = entry
        .uses
        .iter()
        .map(|service| format!("`{driver}`: may open the service `{}`", service.get_ref()));
    let ports = entry.serial.iter().map(|(name, port)| {
        let place = port.place().map_or("", |place| place.get_ref());
        format!("`{driver}`: port `{name}` = `{place}`, {} baud", port.baud)
    });
    pins.chain(ports).chain(provides).chain(uses).collect()
}

/// What the component can ask for and the entry leaves empty. Names are chosen
/// at run time, so only whole kinds can be missing here.
fn lacking(entry: &DriverEntry, can_call: impl Fn(&str) -> bool) -> Vec<String> {
    let driver = entry.name.get_ref();
    let mut missing = Vec::new();
    if can_call("[static]pin.open") && entry.gpio.is_empty() {
        missing.push(format!(
            "`{driver}` uses pins, but its entry grants none; add `[driver.gpio]`"
        ));
    }
    if can_call("[static]port.open") && entry.serial.is_empty() {
        missing.push(format!(
            "`{driver}` uses serial ports, but its entry grants none; add `[driver.serial]`"
        ));
    }
    if can_call("publish") && entry.provides.is_empty() {
        missing.push(format!(
            "`{driver}` publishes services, but its entry names none; add them to `provides`"
        ));
    }
    if can_call("[static]client.open") && entry.uses.is_empty() {
        missing.push(format!(
            "`{driver}` opens services, but its entry names none; add them to `uses`"
        ));
    }
    missing
}
