//! The yardstick: the same exports of the same kind of component, called
//! through the engine alone.

use std::path::Path;
use wasmtime::component::{
    Component, ComponentType, Lift, Linker, Lower, Resource, ResourceType, TypedFunc, Val,
};
use wasmtime::{Config, Engine, Error, Result, Store};

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
    immediate: bool,
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

/// What a handle names here: nothing.
struct Stub;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum EventSource {
    #[component(name = "interrupt")]
    Interrupt(Resource<Stub>),
    #[component(name = "timer")]
    Timer(Resource<Stub>),
    #[component(name = "command-gate")]
    CommandGate(Resource<Stub>),
}

/// An instance without gate, loop or limits, whose imports do nothing.
pub(crate) struct Bare {
    store: Store<()>,
    command: Command,
    interrupt: Interrupt,
}

impl Bare {
    /// Instantiates and starts `probe_echo`.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let mut config = Config::new();
        // As the host's, so that the ratio is what the gate costs: code that can
        // be interrupted, and small memories whose bounds are checked.
        config.epoch_interruption(true);
        config.memory_reservation(16 << 20);
        config.memory_reservation_for_growth(0);
        config.memory_guard_size(64 << 10);
        let engine = Engine::new(&config)?;
        let component = Component::from_file(&engine, path)?;
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        linker.define_unknown_imports_as_traps(&component)?;
        define_stubs(&mut linker)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = linker.instantiate(&mut store, &component)?;
        let handlers = instance
            .get_export_index(&mut store, None, "loopgate:driver/handlers@0.1.0")
            .ok_or_else(|| Error::msg("no handlers"))?;
        let mut function = |name: &str| {
            let index = instance.get_export_index(&mut store, Some(&handlers), name);
            index.ok_or_else(|| Error::msg(format!("no export `{name}`")))
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
        started.map_err(Error::msg)?;
        Ok(Self {
            store,
            command,
            interrupt,
        })
    }

    /// One command; its reply.
    pub(crate) fn command(&mut self, selector: u32, scalar: u64, data: Vec<u8>) -> Result<Vec<u8>> {
        let arguments = Arguments {
            selector,
            scalars: (scalar, 0, 0, 0),
            data,
        };
        let circumstances = Circumstances {
            may_wait: true,
            immediate: false,
            reply_max: 4096,
        };
        let (outcome,) = self
            .command
            .call(&mut self.store, (1, 1, circumstances, arguments))?;
        match outcome {
            Outcome::Done(Ok(reply)) => Ok(reply.data),
            _ => Err(Error::msg("the bare component did not answer")),
        }
    }

    /// One call of the interrupt handler.
    pub(crate) fn interrupt(&mut self, sequence: u64) -> Result<()> {
        self.interrupt
            .call(&mut self.store, (1, 1, 0, sequence, 0, true))
    }
}

/// The imports that `probe_echo` uses.
fn define_stubs(linker: &mut Linker<()>) -> Result<()> {
    let handle = || Resource::<Stub>::new_own(1);
    let mut to = linker.instance("loopgate:driver/work-loop@0.1.0")?;
    for resource in [
        "work-loop",
        "interrupt-event-source",
        "timer-event-source",
        "command-gate",
        "line",
    ] {
        to.resource(resource, ResourceType::host::<Stub>(), |_, _| Ok(()))?;
    }
    to.func_wrap("[static]work-loop.get", move |_, ()| Ok((handle(),)))?;
    to.func_wrap(
        "[method]work-loop.add-event-source",
        |_, _: (Resource<Stub>, EventSource)| Ok((Ok::<(), ErrorCode>(()),)),
    )?;
    to.func_wrap(
        "[static]interrupt-event-source.create",
        move |_, _: (Option<Resource<Stub>>, u32)| Ok((Ok::<_, ErrorCode>(handle()),)),
    )?;
    to.func_wrap(
        "[method]interrupt-event-source.interrupt-occurred",
        |_, _: (Resource<Stub>,)| Ok((Ok::<(), ErrorCode>(()),)),
    )?;
    to.func_wrap(
        "[method]interrupt-event-source.enable",
        |_, _: (Resource<Stub>,)| Ok(()),
    )?;
    to.func_wrap("[static]command-gate.create", move |_, _: (u32,)| {
        Ok((Ok::<_, ErrorCode>(handle()),))
    })?;
    to.func_wrap("[method]command-gate.enable", |_, _: (Resource<Stub>,)| {
        Ok(())
    })?;
    linker
        .instance("loopgate:driver/interrupt@0.1.0")?
        .resource("line", ResourceType::host::<Stub>(), |_, _| Ok(()))?;
    // Its arguments are of no interest here.
    linker
        .instance("loopgate:driver/request@0.1.0")?
        .func_new("publish", |_, _, _, results| {
            results[0] = Val::Result(Ok(None));
            Ok(())
        })
}
