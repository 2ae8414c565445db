//! The yardstick: the same exports of the same kind of component, called
//! through the engine alone.

use std::path::Path;
use wasmtime::component::{Component, ComponentType, Lift, Linker, Lower, TypedFunc};
use wasmtime::{Config, Engine, Store};

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Arguments {
    selector: u32,
    scalars: (u64, u64, u64, u64),
    data: Vec<u8>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Reply {
    scalar: u64,
    data: Vec<u8>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Circumstances {
    #[component(name = "may-wait")]
    may_wait: bool,
    #[component(name = "reply-max")]
    reply_max: u32,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "the type must have the contract's cases")]
enum ErrorCode {
    #[component(name = "bad-argument")]
    BadArgument,
    #[component(name = "not-ready")]
    NotReady,
    #[component(name = "not-permitted")]
    NotPermitted,
    #[component(name = "not-granted")]
    NotGranted,
    #[component(name = "cannot-lock")]
    CannotLock,
    #[component(name = "would-deadlock")]
    WouldDeadlock,
    #[component(name = "no-resources")]
    NoResources,
    #[component(name = "busy")]
    Busy,
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "aborted")]
    Aborted,
    #[component(name = "unsupported")]
    Unsupported,
    #[component(name = "no-device")]
    NoDevice,
    #[component(name = "io")]
    Io,
    #[component(name = "driver-died")]
    DriverDied,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum Outcome {
    #[component(name = "done")]
    Done(Result<Reply, ErrorCode>),
    #[component(name = "pending")]
    Pending,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "the type must have the contract's cases")]
enum Cause {
    #[component(name = "boot")]
    Boot,
    #[component(name = "restart")]
    Restart,
    #[component(name = "reload")]
    Reload,
}

type Start = TypedFunc<(Cause, Vec<(String, String)>), (Result<(), String>,)>;
type Command = TypedFunc<(u32, u64, Circumstances, Arguments), (Outcome,)>;
type Interrupt = TypedFunc<(u32, u32, u32, u64, u64, bool), ()>;

/// An instance without gate, loop or limits.
pub(crate) struct Bare {
    store: Store<()>,
    command: Command,
    interrupt: Interrupt,
    data: Vec<u8>,
}

impl Bare {
    /// Instantiates and starts the component, which must not use its imports.
    pub(crate) fn new(path: &Path) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        // As the host's: code that can be interrupted is a little slower.
        config.epoch_interruption(true);
        let engine = Engine::new(&config)?;
        let component = Component::from_file(&engine, path)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = linker.instantiate(&mut store, &component)?;
        let handlers = instance
            .get_export_index(&mut store, None, "loopgate:driver/handlers@0.1.0")
            .ok_or_else(|| wasmtime::Error::msg("no handlers"))?;
        let mut function = |name: &str| {
            let index = instance.get_export_index(&mut store, Some(&handlers), name);
            index.ok_or_else(|| wasmtime::Error::msg(format!("no export `{name}`")))
        };
        let (start, command, interrupt) = (
            function("start")?,
            function("command")?,
            function("interrupt-occurred")?,
        );
        let start: Start = instance.get_typed_func(&mut store, start)?;
        let command = instance.get_typed_func(&mut store, command)?;
        let interrupt = instance.get_typed_func(&mut store, interrupt)?;
        let (started,) = start.call(&mut store, (Cause::Boot, Vec::new()))?;
        started.map_err(wasmtime::Error::msg)?;
        Ok(Self {
            store,
            command,
            interrupt,
            data: vec![7; 64],
        })
    }

    /// `count` commands with 64 bytes in and out.
    pub(crate) fn commands(&mut self, count: u32) -> wasmtime::Result<()> {
        for id in 0..count {
            let arguments = Arguments {
                selector: 1,
                scalars: (1, 2, 3, 4),
                data: self.data.clone(),
            };
            let circumstances = Circumstances {
                may_wait: true,
                reply_max: 4096,
            };
            let (outcome,) = self.command.call(
                &mut self.store,
                (1, u64::from(id), circumstances, arguments),
            )?;
            match outcome {
                Outcome::Done(Ok(reply)) if reply.data.len() == self.data.len() => {
                    std::hint::black_box(reply.scalar);
                }
                _ => return Err(wasmtime::Error::msg("the bare component did not echo")),
            }
        }
        Ok(())
    }

    /// `count` calls of the interrupt handler.
    pub(crate) fn interrupts(&mut self, count: u32) -> wasmtime::Result<()> {
        for sequence in 0..count {
            self.interrupt
                .call(&mut self.store, (1, 1, 0, u64::from(sequence), 0, true))?;
        }
        Ok(())
    }
}
