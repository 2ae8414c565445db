//! The engine that compiles and runs components, with the settings that hold
//! for every driver.

#[cfg_attr(not(feature = "compiler"), path = "engine/no_compiler.rs")]
mod compiler;

use crate::bindings::VERSION;
use crate::cache::Cache;
use crate::control::to_hex;
use crate::error::{BoardError, ComponentError};
use crate::file;
use crate::filter::{self, Program};
use crate::guest::Guest;
use crate::interface;
use crate::limits::{MEMORY_RESERVATION, STACK};
use crate::precompiled;
use crate::sandbox;
use crate::target::Target;
use crate::text::last_words;
use crate::ticker::{InFlight, Ticker};
use compiler::Compiler;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

/// Larger files are not compiled: a driver has kilobytes, and compiling is
/// the one costly thing that a component can ask for before it has limits.
const COMPONENT_MAX: u64 = 16 << 20;

/// Compiles components, and stops handlers that run for too long.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    /// Compiles the same components for their filters.
    filters: wasmtime::Engine,
    linker: Linker<Guest>,
    compiler: Compiler,
    pace: Pace,
    /// What was loaded, where boards share the engine.
    kept: Option<Mutex<BTreeMap<Digest, Arc<Loaded>>>>,
}

/// What boards in virtual time run drivers with. Boards that share one load a component
/// once, and so are made a hundred times faster: see
/// [`Builder::engine`](crate::Builder::engine).
#[derive(Clone)]
pub struct VirtualEngine(pub(crate) Arc<Engine>);

impl std::fmt::Debug for VirtualEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualEngine").finish_non_exhaustive()
    }
}

impl VirtualEngine {
    /// With the usual cache of compiled code.
    ///
    /// # Errors
    /// The machine cannot run any.
    pub fn new() -> Result<Self, BoardError> {
        let cache = Cache::default_directory().and_then(|directory| Cache::open(&directory).ok());
        let engine = Engine::made_deterministic(cache).map_err(BoardError::Host)?;
        Ok(Self(Arc::new(Engine {
            kept: Some(Mutex::default()),
            ..engine
        })))
    }
}

/// What ends a handler that runs for too long.
enum Pace {
    /// Its processor time, looked at as the epoch moves on.
    Ticker(Ticker),
    /// Instructions, four of which are a nanosecond: the same on every machine.
    Counted,
}

/// A component that was compiled, linked and found to be a driver.
pub(crate) struct Loaded {
    /// Of the component's file.
    pub(crate) digest: Digest,
    pub(crate) driver: Linked,
    /// It takes its devices as `wasi:i2c` has them.
    pub(crate) takes_wasi_i2c: bool,
    /// Where it can ask for filters.
    pub(crate) filters: Option<Arc<Program>>,
}

pub(crate) type Linked = crate::bindings::DriverPre<Guest>;

impl Engine {
    /// For boards with a real clock.
    pub(crate) fn new(cache: Option<Cache>) -> Result<Arc<Self>, String> {
        let engine = Self::with(cache, &config(), &filter_config(), |engine| {
            let ticker = Ticker::start(engine);
            let ticker = ticker.map_err(|error| format!("no thread for the ticker: {error}"))?;
            Ok(Pace::Ticker(ticker))
        });
        engine.map(Arc::new)
    }

    /// For boards with a virtual clock, on which the same components do the same on
    /// every machine, to the last bit of a number.
    pub(crate) fn deterministic(cache: Option<Cache>) -> Result<Arc<Self>, String> {
        Self::made_deterministic(cache).map(Arc::new)
    }

    fn made_deterministic(cache: Option<Cache>) -> Result<Self, String> {
        let (mut config, mut filters) = (config(), filter_config());
        // Of its epochs only the one counts that a guest's calls of the host move on.
        config.consume_fuel(true);
        compiler::one_nan(&mut config);
        compiler::one_nan(&mut filters);
        Self::with(cache, &config, &filters, |_| Ok(Pace::Counted))
    }

    fn with(
        cache: Option<Cache>,
        config: &wasmtime::Config,
        filters: &wasmtime::Config,
        pace: impl FnOnce(&wasmtime::Engine) -> Result<Pace, String>,
    ) -> Result<Self, String> {
        let engine = |config| wasmtime::Engine::new(config).map_err(|error| format!("{error:#}"));
        let (wasmtime, filters) = (engine(config)?, engine(filters)?);
        let linker = interface::linker(&wasmtime).map_err(|error| format!("{error:#}"))?;
        let pace = pace(&wasmtime)?;
        Ok(Self {
            wasmtime,
            filters,
            linker,
            compiler: Compiler::new(cache),
            pace,
            kept: None,
        })
    }

    /// A call into the instance begins, whose clock has begun. To be held for the
    /// time of the call.
    pub(crate) fn enter(&self, store: &mut Store<Guest>) -> Option<InFlight<'_>> {
        store.set_epoch_deadline(1);
        match &self.pace {
            Pace::Ticker(ticker) => Some(ticker.enter()),
            Pace::Counted => {
                // Without fuel accounting there would be no such pace.
                let _ = store.set_fuel(store.data().clock.instructions());
                None
            }
        }
    }

    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.pace, Pace::Counted)
    }

    /// The guest that has called the host is to be looked at as it goes on.
    #[cold]
    pub(crate) fn look_at_calls(&self) {
        if self.is_counted() {
            self.wasmtime.increment_epoch();
        }
    }

    /// And has ended.
    pub(crate) fn leave(&self, store: &mut Store<Guest>) {
        if let (Pace::Counted, Ok(left)) = (&self.pace, store.get_fuel()) {
            store.data_mut().clock.left_over(left);
        }
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// Compiles (or takes from the cache) and links what was read from `path`, where
    /// its digest is the `meant` one. What was compiled before is loaded only where
    /// one is.
    pub(crate) fn load(
        &self,
        path: &Path,
        bytes: &[u8],
        (digest, meant): (Digest, Option<Digest>),
    ) -> Result<Arc<Loaded>, ComponentError> {
        verify(path, meant, digest)?;
        // Another board may have vouched for compiled code, which this one does not.
        let may_be_known = meant.is_some() || !precompiled::is_code(bytes);
        if let Some(kept) = self.kept.as_ref().filter(|_| may_be_known)
            && let Some(known) = kept.lock().get(&digest)
        {
            return Ok(known.clone());
        }
        let name = path.display().to_string();
        let (component, filters) = if precompiled::is_code(bytes) {
            self.take(path, bytes, meant.is_some())?
        } else {
            let component = self.compile(&name, bytes)?;
            let filters = self.compile_filters(&name, bytes, &component)?;
            (component, filters)
        };
        let driver = self.link(&name, &component)?;
        let filters = filters.map(|filters| self.program(&name, &filters));
        let loaded = Arc::new(Loaded {
            digest,
            driver,
            takes_wasi_i2c: interface::wasi_i2c::is_wanted(&self.wasmtime, &component),
            filters: filters.transpose()?,
        });
        if let Some(kept) = &self.kept {
            kept.lock().insert(digest, loaded.clone());
        }
        Ok(loaded)
    }

    /// The file that [`load`](Self::load) takes in the place of this component: for
    /// this very machine, or for any of the target's kind.
    pub(crate) fn precompile(
        &self,
        name: &str,
        bytes: &[u8],
        target: Option<&Target>,
    ) -> Result<Vec<u8>, ComponentError> {
        if precompiled::is_code(bytes) {
            return Err(ComponentError::Compiled { path: name.into() });
        }
        let component = self.compile(name, bytes)?;
        self.link(name, &component)?;
        let filters = self.compile_filters(name, bytes, &component)?;
        let serialize = |component: Component| {
            let code = component.serialize();
            code.map_err(|error| invalid(name, &error))
        };
        let (driver, filters) = match target {
            Some(target) => compiler::code(name, bytes, target, filters.is_some())?,
            None => (serialize(component)?, filters.map(serialize).transpose()?),
        };
        let target = target.cloned().unwrap_or_else(Target::here).to_string();
        let code = precompiled::Code {
            target: &target,
            driver: &driver,
            filters: filters.as_deref(),
        };
        let code = code.pack();
        // It would not be read again.
        within_bounds(Path::new(name), code.len() as u64)?;
        Ok(code)
    }

    /// What was compiled before, by who is `trusted`: for the handlers, and for
    /// filters where it has that.
    pub(crate) fn take(
        &self,
        path: &Path,
        file: &[u8],
        trusted: bool,
    ) -> Result<(Component, Option<Component>), ComponentError> {
        let code = unpack(path, file, trusted)?;
        if self.is_counted() {
            let path = path.to_owned();
            return Err(ComponentError::RealClock { path });
        }
        let other = |cause| ComponentError::OtherEngine {
            path: path.to_owned(),
            cause,
        };
        let driver = precompiled::load(&self.wasmtime, code.driver).map_err(other)?;
        let filters = code
            .filters
            .map(|code| precompiled::load(&self.filters, code));
        Ok((driver, filters.transpose().map_err(other)?))
    }

    fn compile_filters(
        &self,
        name: &str,
        bytes: &[u8],
        component: &Component,
    ) -> Result<Option<Component>, ComponentError> {
        let wanted = filter::is_wanted(&self.wasmtime, component);
        let filters = wanted.then(|| self.compile_for(&self.filters, name, bytes));
        filters.transpose()
    }

    fn program(&self, name: &str, component: &Component) -> Result<Arc<Program>, ComponentError> {
        let program = Program::new(&self.filters, component);
        program.map(Arc::new).map_err(|error| wrong(name, &error))
    }

    /// Compiles, or takes from the cache.
    pub(crate) fn compile(&self, name: &str, bytes: &[u8]) -> Result<Component, ComponentError> {
        self.compile_for(&self.wasmtime, name, bytes)
    }

    fn compile_for(
        &self,
        engine: &wasmtime::Engine,
        name: &str,
        bytes: &[u8],
    ) -> Result<Component, ComponentError> {
        recognise(name, bytes)?;
        self.compiler.component(engine, name, bytes)
    }

    /// Checks the component against the world `driver`.
    pub(crate) fn link(&self, name: &str, component: &Component) -> Result<Linked, ComponentError> {
        interface::refuse_unknown_imports(&self.wasmtime, name, component)?;
        let mut linker = self.linker.clone();
        interface::wasi::add_to_linker(&mut linker, &self.wasmtime, component)
            .map_err(|error| wrong(name, &error))?;
        let pre: InstancePre<Guest> = linker
            .instantiate_pre(component)
            .map_err(|error| wrong(name, &error))?;
        Linked::new(pre).map_err(|error| wrong(name, &error))
    }
}

fn invalid(name: &str, error: &wasmtime::Error) -> ComponentError {
    ComponentError::Invalid {
        name: name.to_owned(),
        cause: cause_of(error),
    }
}

fn wrong(name: &str, error: &wasmtime::Error) -> ComponentError {
    ComponentError::WrongWorld {
        name: name.to_owned(),
        version: VERSION,
        cause: cause_of(error),
    }
}

fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK);
    // The default reserves 4 GiB a memory, which small machines do not have.
    config.memory_reservation(MEMORY_RESERVATION);
    config.memory_reservation_for_growth(0);
    config.memory_guard_size(64 << 10);
    config
}

/// Instructions are counted instead of time: a filter has no thread that would
/// move an epoch on, and no time to lose by being looked at.
fn filter_config() -> wasmtime::Config {
    let mut config = config();
    config.epoch_interruption(false);
    config.consume_fuel(true);
    config.max_wasm_stack(filter::STACK);
    config
}

/// A component's file, bounded.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    let read = file::read(path, COMPONENT_MAX);
    let (bytes, size) = read.map_err(|cause| ComponentError::Unreadable {
        path: path.to_owned(),
        cause: sandbox::explain(cause),
    })?;
    within_bounds(path, size)?;
    Ok(bytes)
}

/// Why a file would not be loaded, as far as can be told without loading it.
pub(crate) fn look_at(
    path: &Path,
    meant: Option<Digest>,
    compiler: bool,
) -> Result<(), ComponentError> {
    let bytes = read(path)?;
    verify(path, meant, digest(&bytes))?;
    if precompiled::is_code(&bytes) {
        return unpack(path, &bytes, meant.is_some()).map(drop);
    }
    let name = path.display().to_string();
    recognise(&name, &bytes)?;
    if compiler {
        return Ok(());
    }
    Err(ComponentError::NoCompiler {
        name,
        here: Target::here(),
    })
}

/// What was compiled before for this host, by who is `trusted`.
fn unpack<'a>(
    path: &Path,
    file: &'a [u8],
    trusted: bool,
) -> Result<precompiled::Code<'a>, ComponentError> {
    let path = path.to_owned();
    if !trusted {
        return Err(ComponentError::Untrusted { path });
    }
    let code = match precompiled::Code::unpack(file) {
        Ok(code) => code,
        Err(cause) => {
            let cause = cause.to_owned();
            return Err(ComponentError::OtherEngine { path, cause });
        }
    };
    let here = Target::here();
    if code.target != here.to_string() {
        return Err(ComponentError::OtherTarget {
            target: last_words(code.target),
            path,
            here,
        });
    }
    Ok(code)
}

fn within_bounds(path: &Path, size: u64) -> Result<(), ComponentError> {
    if size <= COMPONENT_MAX {
        return Ok(());
    }
    Err(ComponentError::TooLarge {
        path: path.to_owned(),
        size,
        limit: COMPONENT_MAX,
    })
}

/// Tells one content of a file from another.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// Refuses what is not the content that the board file means.
pub(crate) fn verify(
    path: &Path,
    expected: Option<Digest>,
    found: Digest,
) -> Result<(), ComponentError> {
    match expected {
        Some(expected) if expected != found => Err(ComponentError::WrongDigest {
            path: path.to_owned(),
            expected: to_hex(&expected),
            found: to_hex(&found),
        }),
        _ => Ok(()),
    }
}

/// Tells what was given by mistake from its first bytes: a core module and a
/// component differ in the second half of the version word.
fn recognise(name: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    let name = name.to_owned();
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ComponentError::CoreModule { name }),
        [0, b'a', b's', b'm', ..] => Ok(()),
        [] => Err(ComponentError::NotWasm {
            name,
            found: "the file is empty".into(),
        }),
        [b'\x7f', b'E', b'L', b'F', ..] => Err(ComponentError::NotWasm {
            name,
            found: "it is a native ELF file".into(),
        }),
        _ => Err(ComponentError::NotWasm {
            name,
            found: format!(
                "it begins with `{}`",
                bytes[..bytes.len().min(8)].escape_ascii()
            ),
        }),
    }
}

/// The chain of causes on one line, the engine's advice for embedders left
/// out. It quotes names out of the component.
pub(crate) fn cause_of(error: &wasmtime::Error) -> String {
    let causes: Vec<_> = error
        .chain()
        .map(|cause| cause.to_string().replace('\n', " "))
        .collect();
    last_words(&causes.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its code for handlers is for the settings of filters.
    #[test]
    fn code_for_another_engine_is_refused_in_words() {
        let engine = Engine::new(None).unwrap();
        let component = b"\0asm\x0d\0\x01\0";
        let other = engine.compile_for(&engine.filters, "empty", component);
        let driver = other.unwrap().serialize().unwrap();
        let file = |target: &str| {
            let code = precompiled::Code {
                target,
                driver: &driver,
                filters: None,
            };
            code.pack()
        };
        let path = Path::new("driver.cwasm");
        let error = |file: &[u8], trusted| {
            let taken = engine.take(path, file, trusted);
            taken.map(drop).unwrap_err().to_string()
        };
        let here = Target::here().to_string();
        let refused = error(&file("vax-linux\u{1b}"), true);
        for part in ["for `vax-linux\\u{1b}`", &format!("runs `{here}`")] {
            assert!(refused.contains(part), "{refused}");
        }
        let file = file(&here);
        let refused = error(&file, true);
        assert!(refused.contains("`loopgate compile`"), "{refused}");
        assert!(refused.contains("fuel"), "{refused}");
        assert!(error(&file[..30], true).contains("truncated"));
        let refused = error(&file, false);
        assert!(refused.contains("`sha256`"), "{refused}");
    }

    #[test]
    fn what_would_not_be_loaded_is_told_without_loading_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("driver");
        let looked_at = |content: &[u8], meant: Option<&[u8]>, compiler| {
            std::fs::write(&path, content).unwrap();
            let looked_at = look_at(&path, meant.map(digest), compiler);
            looked_at.map_err(|error| error.to_string())
        };
        let component = b"\0asm\x0d\0\x01\0";
        let code = |target: &str| {
            let (driver, filters) = (&b"code"[..], None);
            let code = precompiled::Code {
                target,
                driver,
                filters,
            };
            code.pack()
        };
        let here = code(&Target::here().to_string());
        assert_eq!(looked_at(component, None, true), Ok(()));
        assert_eq!(looked_at(component, Some(component), true), Ok(()));
        assert_eq!(looked_at(&here, Some(&here), false), Ok(()));
        let other = code("vax-linux");
        for (content, meant, compiler, said) in [
            (&component[..], None, false, "without a compiler"),
            (component, Some(&b"other"[..]), true, "has the SHA-256"),
            (b"text", None, true, "is not WebAssembly"),
            (
                &here,
                None,
                true,
                "only where the board file has its digest",
            ),
            (&here[..30], Some(&here[..30]), true, "truncated"),
            (&other, Some(&other), true, "was compiled for `vax-linux`"),
        ] {
            let error = looked_at(content, meant, compiler).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn only_regular_files_are_read_and_only_so_far() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        for path in [&pipe, Path::new("/dev/zero")] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains("it is no regular file"), "{error}");
        }
        let large = directory.path().join("large");
        let file = std::fs::File::create(&large).unwrap();
        file.set_len(COMPONENT_MAX + 1).unwrap();
        let error = read(&large).unwrap_err().to_string();
        assert!(
            error.contains("has 16777217 bytes, more than the 16777216"),
            "{error}"
        );
        file.set_len(COMPONENT_MAX).unwrap();
        assert_eq!(read(&large).unwrap().len() as u64, COMPONENT_MAX);
    }
}
