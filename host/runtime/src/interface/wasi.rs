//! The WASI 0.2 that a driver sees: what a standard library needs to link,
//! and nothing that blocks, or reaches outside.
//!
//! It is our own because a host call that waits holds the gate past every
//! deadline, and because nobody's file or socket is a driver's business: no
//! descriptor ever exists here. What a driver must not do traps, and says
//! what to do instead.

use crate::bindings::loopgate::driver::log::Level;
use crate::guest::Guest;
use crate::random::Random;
use crate::time::Time;
use crate::trace;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentNamedList, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource,
    ResourceType,
};
use wasmtime::{Result, StoreContextMut, bail};

const PACKAGES: [&str; 5] = [
    "wasi:cli/",
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:filesystem/",
];

/// What `check-write` allows at a time.
const WRITE_MAX: u64 = 4096;

/// The resources of WASI. A handle carries nothing but, for an output stream,
/// which one it is: there is no table to fill.
mod resource {
    pub(super) struct Error;
    pub(super) struct Pollable;
    pub(super) struct InputStream;
    pub(super) struct OutputStream;
    pub(super) struct TerminalInput;
    pub(super) struct TerminalOutput;
    pub(super) struct Descriptor;
    pub(super) struct DirectoryEntryStream;
}
use resource::{Error, InputStream, OutputStream, Pollable, TerminalInput, TerminalOutput};

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(Resource<Error>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// What of it is not the same for everybody.
pub(crate) trait Wasi: Send + 'static {
    /// A call of the host begins.
    fn count(&mut self);

    /// Nanoseconds.
    fn monotonic(&mut self) -> Result<u64>;

    /// Seconds since 1970, and nanoseconds.
    fn wall(&mut self) -> Result<(u64, u32)>;

    fn random(&mut self) -> &mut Random;

    /// As many bytes at a time are given.
    fn payload(&self) -> u64;

    /// What was written to the standard error, or the standard output.
    fn output(&mut self, is_error: bool, bytes: &[u8]) -> Result<()>;
}

impl Wasi for Guest {
    fn count(&mut self) {
        self.counted();
    }

    fn monotonic(&mut self) -> Result<u64> {
        self.calls(trace::MONOTONIC, |_| {});
        let now = Ok(self.driver.time.now().as_nanos());
        self.answered(&now);
        now
    }

    /// In virtual time the time since 1970 is the board's, so that a run can be
    /// repeated.
    fn wall(&mut self) -> Result<(u64, u32)> {
        self.calls(trace::WALL, |_| {});
        let since = match &self.driver.time {
            Time::Real(_) => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
            time @ Time::Virtual(_) => std::time::Duration::from_nanos(time.now().as_nanos()),
        };
        let now = Ok((since.as_secs(), since.subsec_nanos()));
        self.answered(&now);
        now
    }

    fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    fn payload(&self) -> u64 {
        self.driver.limits.payload
    }

    fn output(&mut self, is_error: bool, bytes: &[u8]) -> Result<()> {
        self.within_payload(bytes.len())?;
        let level = if is_error { Level::Warn } else { Level::Info };
        let log = &self.driver.log;
        self.output.add(bytes, |line| log.driver(level, line));
        Ok(())
    }
}

/// Whether an import is of the WASI that drivers may link against.
pub(crate) fn is_offered(import: &str) -> bool {
    PACKAGES.iter().any(|package| import.starts_with(package)) && import.contains("@0.2.")
}

/// Defines the component's WASI imports, in the version that it names.
pub(crate) fn add_to_linker<T: Wasi>(
    linker: &mut Linker<T>,
    engine: &wasmtime::Engine,
    component: &Component,
) -> Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !is_offered(import) {
            continue;
        }
        let interface = import
            .split_once('@')
            .map_or(import, |(interface, _)| interface);
        let mut to = linker.instance(import)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => define_resource(&mut to, name)?,
                ComponentItem::ComponentFunc(_) => define_function(&mut to, interface, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn define_resource<T: Wasi>(to: &mut LinkerInstance<'_, T>, name: &str) -> Result<()> {
    let ty = match name {
        "error" => ResourceType::host::<Error>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        "descriptor" => ResourceType::host::<resource::Descriptor>(),
        "directory-entry-stream" => ResourceType::host::<resource::DirectoryEntryStream>(),
        _ => bail!("WASI resource `{name}` is not known"),
    };
    to.resource(name, ty, |_, _| Ok(()))
}

/// A function whose calls count, as those of every import.
fn counted<T: Wasi, P, R>(
    to: &mut LinkerInstance<'_, T>,
    name: &str,
    function: impl Fn(StoreContextMut<'_, T>, P) -> Result<R> + Send + Sync + 'static,
) -> Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    R: ComponentNamedList + Lower + 'static,
{
    to.func_wrap(name, move |mut store, arguments| {
        store.data_mut().count();
        function(store, arguments)
    })
}

fn define_function<T: Wasi>(
    to: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match interface {
        "wasi:cli/environment" | "wasi:cli/exit" | "wasi:filesystem/preopens" => {
            define_environment(to, interface, name)
        }
        "wasi:cli/stdin" | "wasi:cli/stdout" | "wasi:cli/stderr" => {
            define_standard_stream(to, name)
        }
        "wasi:cli/terminal-stdin" => {
            counted(to, name, |_, ()| Ok((None::<Resource<TerminalInput>>,)))
        }
        "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr" => {
            counted(to, name, |_, ()| Ok((None::<Resource<TerminalOutput>>,)))
        }
        "wasi:io/streams" => define_stream_function(to, name),
        "wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock" => {
            define_clock(to, interface, name)
        }
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => {
            define_random(to, interface, name)
        }
        _ => refuse(to, interface, name),
    }
}

fn define_environment<T: Wasi>(
    to: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match name {
        "get-environment" => counted(to, name, |_, ()| Ok((Vec::<(String, String)>::new(),))),
        "get-arguments" => counted(to, name, |_, ()| Ok((Vec::<String>::new(),))),
        "initial-cwd" => counted(to, name, |_, ()| Ok((None::<String>,))),
        "get-directories" => counted(to, name, |_, ()| {
            Ok((Vec::<(Resource<resource::Descriptor>, String)>::new(),))
        }),
        "exit" => counted(
            to,
            name,
            |_, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
                bail!(
                    "the driver called `exit` with {}; a driver ends by returning from its handlers",
                    if status.is_ok() { "success" } else { "failure" }
                )
            },
        ),
        _ => refuse(to, interface, name),
    }
}

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

fn define_standard_stream<T: Wasi>(to: &mut LinkerInstance<'_, T>, name: &str) -> Result<()> {
    match name {
        "get-stdin" => counted(to, name, |_, ()| Ok((Resource::<InputStream>::new_own(0),))),
        "get-stdout" => counted(to, name, |_, ()| {
            Ok((Resource::<OutputStream>::new_own(STDOUT),))
        }),
        _ => counted(to, name, |_, ()| {
            Ok((Resource::<OutputStream>::new_own(STDERR),))
        }),
    }
}

type Streamed<T> = (std::result::Result<T, StreamError>,);

fn define_stream_function<T: Wasi>(to: &mut LinkerInstance<'_, T>, name: &str) -> Result<()> {
    match name {
        // Standard input is at its end: reading it neither waits nor gives anything.
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => counted(
            to,
            name,
            |_, _: (Resource<InputStream>, u64)| -> Result<Streamed<Vec<u8>>> {
                Ok((Err(StreamError::Closed),))
            },
        ),
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => counted(
            to,
            name,
            |_, _: (Resource<InputStream>, u64)| -> Result<Streamed<u64>> {
                Ok((Err(StreamError::Closed),))
            },
        ),
        "[method]output-stream.check-write" => counted(
            to,
            name,
            |_, _: (Resource<OutputStream>,)| -> Result<Streamed<u64>> { Ok((Ok(WRITE_MAX),)) },
        ),
        // They write to the log at once, and so never block either.
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            counted(to, name, write)
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => counted(
            to,
            name,
            |_, _: (Resource<OutputStream>,)| -> Result<Streamed<()>> { Ok((Ok(()),)) },
        ),
        "[method]input-stream.subscribe" => counted(to, name, |_, _: (Resource<InputStream>,)| {
            Ok((Resource::<Pollable>::new_own(0),))
        }),
        "[method]output-stream.subscribe" => {
            counted(to, name, |_, _: (Resource<OutputStream>,)| {
                Ok((Resource::<Pollable>::new_own(0),))
            })
        }
        _ => refuse(to, "wasi:io/streams", name),
    }
}

fn write<T: Wasi>(
    mut store: StoreContextMut<'_, T>,
    (stream, bytes): (Resource<OutputStream>, Vec<u8>),
) -> Result<Streamed<()>> {
    store.data_mut().output(stream.rep() == STDERR, &bytes)?;
    Ok((Ok(()),))
}

fn define_clock<T: Wasi>(
    to: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:clocks/monotonic-clock", "now") => counted(to, name, |mut store, ()| {
            Ok((store.data_mut().monotonic()?,))
        }),
        ("wasi:clocks/monotonic-clock", "resolution") => counted(to, name, |_, ()| Ok((1_u64,))),
        // A pollable may exist; what waits for it traps.
        ("wasi:clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => {
            counted(to, name, |_, _: (u64,)| {
                Ok((Resource::<Pollable>::new_own(0),))
            })
        }
        ("wasi:clocks/wall-clock", "now") => counted(to, name, |mut store, ()| {
            let (seconds, nanoseconds) = store.data_mut().wall()?;
            Ok((Datetime {
                seconds,
                nanoseconds,
            },))
        }),
        ("wasi:clocks/wall-clock", "resolution") => counted(to, name, |_, ()| {
            Ok((Datetime {
                seconds: 0,
                nanoseconds: 1,
            },))
        }),
        _ => refuse(to, interface, name),
    }
}

fn define_random<T: Wasi>(
    to: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => counted(to, name, random_bytes),
        "get-random-u64" | "get-insecure-random-u64" => counted(to, name, |mut store, ()| {
            Ok((store.data_mut().random().number(),))
        }),
        "insecure-seed" => counted(to, name, |mut store, ()| {
            let random = store.data_mut().random();
            Ok(((random.number(), random.number()),))
        }),
        _ => refuse(to, interface, name),
    }
}

fn random_bytes<T: Wasi>(
    mut store: StoreContextMut<'_, T>,
    (length,): (u64,),
) -> Result<(Vec<u8>,)> {
    let guest = store.data_mut();
    let payload = guest.payload();
    if length > payload {
        bail!(
            "the driver asked for {length} random bytes at once; its limit `payload` is {payload}"
        );
    }
    let words = length.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words)
        .flat_map(|_| guest.random().number().to_le_bytes())
        .collect();
    bytes.truncate(length as usize);
    Ok((bytes,))
}

/// Everything else links, and traps when it is called.
fn refuse<T: Wasi>(to: &mut LinkerInstance<'_, T>, interface: &str, name: &str) -> Result<()> {
    let function = format!("{interface} {name}");
    let instead = match interface {
        "wasi:io/poll" => {
            "a handler must not wait; use a timer source (or `delay` for a few microseconds)"
        }
        "wasi:filesystem/types" => {
            "a driver has no files; the board entry's `config` and the log are there instead"
        }
        _ => "the board does not offer it to drivers",
    };
    to.func_new(name, move |_, _, _, _| {
        bail!("the driver called `{function}`: {instead}")
    })
}
