//! The life of a driver: which version of it runs, from `start` to its end.

use super::recent::Recent;
use super::supervision::{Death, Remains};
use super::{Driver, Handler, Instance};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::engine::{self, Digest, Loaded};
use crate::error::{ComponentError, ErrorCode};
use crate::guest::Guest;
use crate::heritage::Heritage;
use crate::interface::wasi_i2c;
use crate::stack;
use crate::staging::Phase;
use crate::status::{State, Usage};
use crate::text::last_words;
use loopgate_workloop::Context;
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use wasmtime::Store;
use wasmtime::component::ResourceTable;

#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) state: State,
    pub(crate) cause: Option<String>,
    /// Stopped with a provider: starts again with one of its providers.
    pub(crate) ended_with: Option<EndedWith>,
}

/// Whose end a driver's was, too.
#[derive(Clone)]
pub(crate) struct EndedWith {
    pub(crate) driver: String,
    pub(crate) cause: String,
}

impl Life {
    /// Why it does not run, for the status.
    pub(crate) fn why(self) -> Option<String> {
        let ended_with = self.ended_with.map(|ended| ended.cause);
        self.cause.or(ended_with)
    }
}

/// Held by who starts, stops or reloads a driver.
pub(crate) type Version<'a> = MutexGuard<'a, Option<Digest>>;

/// What came of a start.
pub(crate) enum Started {
    /// How it fares stands in [`Driver::life`].
    Begun,
    /// It runs.
    Already,
    /// It cannot: this provider, and any other that it has, is stopped.
    Without(Arc<Driver>),
}

impl Driver {
    /// Waits for a start, stop or reload that runs, and lets none begin.
    pub(crate) fn hold(&self) -> Version<'_> {
        self.version.lock()
    }

    /// Loads the component and starts it, unless it runs.
    pub(crate) fn start(self: &Arc<Self>, cx: &Context, cause: Cause) -> Started {
        let mut version = self.hold();
        match self.life().state {
            State::Stopped | State::Failed | State::Quarantined => {}
            State::Starting | State::Running => return Started::Already,
        }
        // Asked in here: an ending marks the providers while it holds this.
        if let Some(provider) = self.missing() {
            return Started::Without(provider);
        }
        self.supervision.reset();
        match self.load(&mut version) {
            Ok(loaded) => self.start_loaded(cx, &loaded, cause),
            Err(error) => {
                self.closed(cx, || self.give_up(cx));
                self.fail(error.to_string());
            }
        }
        Started::Begun
    }

    /// The first of its providers, if all of them are stopped.
    pub(crate) fn missing(&self) -> Option<Arc<Driver>> {
        let stopped = |provider: &Arc<Driver>| {
            provider.is_ending() || provider.life().state == State::Stopped
        };
        let providers = self.providers();
        let first = providers.first()?;
        providers.iter().all(stopped).then(|| first.clone())
    }

    /// Whether it runs, as a provider of others.
    pub(crate) fn is_live(&self) -> bool {
        let runs = matches!(self.life().state, State::Starting | State::Running);
        runs && !self.is_ending()
    }

    /// Whether what it publishes can be used.
    pub(crate) fn is_in_service(&self) -> bool {
        self.life().state == State::Running && !self.is_ending()
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(SeqCst)
    }

    /// Set by [`Services::end`](crate::service::Services::end).
    pub(crate) fn set_ending(&self, ending: bool) {
        self.ending.store(ending, SeqCst);
    }

    /// Calls `stop` and releases everything; with the gate closed throughout.
    pub(crate) fn stop(self: &Arc<Self>, cx: &Context, _: &Version<'_>) {
        self.closed(cx, || {
            self.call_stop(cx, State::Stopped);
            self.give_up(cx);
        });
    }

    /// As [`stop`](Self::stop), and nothing but [`start`](Self::start) brings it
    /// back: it counts as stopped also where it had failed or fails in its `stop`.
    pub(crate) fn dismiss(
        self: &Arc<Self>,
        cx: &Context,
        version: &Version<'_>,
        with: Option<EndedWith>,
    ) {
        self.stop(cx, version);
        let mut life = self.life.lock();
        life.state = State::Stopped;
        life.ended_with = with;
    }

    /// It could not start without this one, and starts with it.
    pub(crate) fn wait_for(&self, provider: &Driver) {
        let mut life = self.life.lock();
        if life.state == State::Stopped {
            life.ended_with = Some(EndedWith {
                driver: provider.name.clone(),
                cause: format!("`{}`, which it uses, is stopped", provider.name),
            });
        }
    }

    /// It is stopped, and now on its own account: its provider's start is none of
    /// its own.
    pub(crate) fn stay_stopped(&self) {
        self.life.lock().ended_with = None;
    }

    /// Whether the component's file has another content than when it was last
    /// tried. A file that cannot be read may be on its way.
    pub(crate) fn has_new_version(&self) -> bool {
        let tried = *self.hold();
        engine::read(&self.code().file).is_ok_and(|bytes| tried != Some(engine::digest(&bytes)))
    }

    pub(super) fn load(&self, version: &mut Option<Digest>) -> Result<Arc<Loaded>, ComponentError> {
        let code = self.code();
        let bytes = engine::read(&code.file)?;
        let digest = engine::digest(&bytes);
        *version = Some(digest);
        self.engine.load(&code.file, &bytes, (digest, code.digest))
    }

    /// Makes an instance and starts it, with the gate closed throughout.
    /// What went wrong stands in [`Driver::life`] afterwards.
    pub(super) fn start_loaded(self: &Arc<Self>, cx: &Context, loaded: &Arc<Loaded>, cause: Cause) {
        self.closed(cx, || {
            self.live(State::Starting, None);
            self.left_lines.lock().clear();
            match self.instantiate(loaded) {
                Ok(instance) => {
                    let heritage = self.supervision.take_estate();
                    self.begin(cx, instance, heritage, cause);
                }
                Err(death) => self.bury(cx, Remains::of(loaded), &death),
            }
        });
    }

    /// Calls `f` with the gate closed.
    fn closed<R>(&self, cx: &Context, f: impl FnOnce() -> R) -> R {
        self.work_loop.close_gate(cx);
        let result = f();
        // Closed above by this very context.
        let _ = self.work_loop.open_gate(cx);
        result
    }

    /// Has the instance take the driver's place.
    pub(super) fn begin(
        self: &Arc<Self>,
        cx: &Context,
        mut instance: Instance,
        heritage: Heritage,
        cause: Cause,
    ) {
        let guest = instance.store.data_mut();
        if !self.entry.uses.is_empty() {
            // Refused after the loop's end only.
            let _ = guest.mailbox();
        }
        guest.heritage = heritage;
        guest.phase = Phase::Live;
        self.generation.store(guest.generation, Relaxed);
        *self.instance.lock() = Some(instance);
        self.call_start(cx, cause);
        self.with_guest(|guest| guest.started(cx));
        if self.is_in_service() {
            self.services.announce(self);
        }
        self.follow_power(cx);
    }

    /// Component initialisers are guest code too, under the limit of `start`.
    /// They can open and create nothing, so that the gate may be open.
    pub(super) fn instantiate(
        self: &Arc<Self>,
        loaded: &Arc<Loaded>,
    ) -> Result<Instance, Death<'static>> {
        let next = self.generation() + 1;
        let mut store = Guest::store(
            self.clone(),
            self.engine.wasmtime(),
            loaded.filters.clone(),
            next,
        );
        let Some(_nested) = stack::enter() else {
            let why = "there is no room for it on the stack of the thread that starts it";
            return Err(Death::of(why.to_owned()));
        };
        store.data_mut().clock.begin(&self.limits, true);
        let _in_flight = self.engine.enter(&mut store);
        store.data_mut().instance_begins(&loaded.digest);
        let made = instantiate(&mut store, loaded);
        store.data_mut().instance_made(&made);
        match made {
            Ok(bindings) => Ok(Instance {
                store,
                bindings,
                loaded: loaded.clone(),
                recent: Recent::default(),
            }),
            Err(error) => Err(Death::instantiating(store.data(), &error)),
        }
    }

    fn call_start(self: &Arc<Self>, cx: &Context, cause: Cause) {
        let config = self.entry.config.clone();
        match self.call(cx, Handler::Start, |store, handlers| {
            wasi_i2c::connect(store)?;
            handlers.call_start(store, cause, &config)
        }) {
            Ok(Ok(())) => {
                self.live(State::Running, None);
                self.supervision.runs(self.time.now());
                self.log
                    .life(&format!("running, generation {}", self.generation()));
            }
            Ok(Err(reason)) => {
                let cause = format!("`start` refused: {}", last_words(&reason));
                self.die(cx, &Death::of(cause));
            }
            // Buried already.
            Err(ErrorCode::DriverDied) => {}
            Err(code) => {
                let cause = format!("its `start` could not be called: {code}");
                self.die(cx, &Death::of(cause));
            }
        }
    }

    /// Calls `stop`, if there is an instance, and releases everything.
    pub(super) fn call_stop(self: &Arc<Self>, cx: &Context, then: State) {
        if self.life().state != State::Running {
            return;
        }
        let stopped = self.call(cx, Handler::Stop, |store, handlers| {
            store.data_mut().stopping = true;
            handlers.call_stop(store)
        });
        match stopped {
            Ok(()) => self.end(cx, then),
            // It ended by its own fault, which was reported.
            Err(ErrorCode::DriverDied) => {}
            Err(code) => {
                tracing::warn!("{}: stopped without calling its `stop`: {code}", self.name);
                self.end(cx, then);
            }
        }
    }

    pub(crate) fn life(&self) -> Life {
        self.life.lock().clone()
    }

    /// What became of the instance that a client knew, for people.
    pub(crate) fn whereabouts(&self) -> String {
        let life = self.life();
        if let Some(EndedWith { driver, cause }) = &life.ended_with {
            return format!("it was stopped, since {cause}; `loopgate start {driver}` starts them");
        }
        match (life.state, life.cause) {
            (_, Some(cause)) => format!("it failed: {cause}; {}", self.remedy()),
            (State::Running, None) if self.is_ending() => {
                "it is being stopped; ask again once it was started".to_owned()
            }
            (State::Starting, None) => "it is starting; ask again".to_owned(),
            (State::Running, None) => "it was reloaded; ask the new version".to_owned(),
            (State::Stopped | State::Failed | State::Quarantined, None) => format!(
                "it was stopped; `loopgate start {}` starts it again",
                self.name
            ),
        }
    }

    /// The component could not be loaded, or not be instantiated.
    pub(crate) fn fail(&self, cause: String) {
        self.log.failure(&format!("failed: {cause}"));
        self.live(State::Failed, Some(cause));
    }

    pub(super) fn live(&self, state: State, cause: Option<String>) {
        *self.life.lock() = Life {
            state,
            cause,
            ended_with: None,
        };
    }

    /// Takes the instance away: its sources leave the loop, its services the
    /// board, its pending requests end, its lines are released. The gate is
    /// closed by `cx`.
    fn end(self: &Arc<Self>, cx: &Context, state: State) {
        if state == State::Stopped {
            self.log.life("stopped");
        }
        self.live(state, None);
        let taken = self.instance.try_lock().and_then(|mut guard| guard.take());
        if let Some(mut instance) = taken {
            self.release(cx, &mut instance.store);
        }
        self.ended();
    }

    /// It has no instance any more.
    pub(super) fn ended(self: &Arc<Self>) {
        if self.is_draining() {
            self.drained();
        }
        self.power.ended();
        self.counters.usage(Usage::default());
        self.log.instance_ended();
    }

    /// Takes back what an instance had.
    pub(super) fn release(self: &Arc<Self>, cx: &Context, store: &mut Store<Guest>) {
        let guest = store.data_mut();
        // Before anything of it that others could see.
        guest.rest_outputs();
        if let Some(mailbox) = guest.sources.post.mailbox() {
            mailbox.close();
        }
        if let Some(neighbours) = guest.sources.post.neighbours() {
            neighbours.close();
            self.services.strike(self);
        }
        guest.end_offer();
        guest.submissions.end_all();
        let code = ErrorCode::DriverDied;
        // The older ones first: those that it has, then those that wait.
        guest.requests.end_all(None, code);
        self.services.unpublish(self, guest.generation, None, code);
        guest.sources.remove_all(cx, self);
        guest.heritage.end(cx, self);
        // Its handles: the lines are let go.
        guest.table = ResourceTable::new();
        self.tell_of_filters();
    }
}

fn instantiate(
    store: &mut Store<Guest>,
    loaded: &Loaded,
) -> wasmtime::Result<crate::bindings::Driver> {
    if !loaded.takes_wasi_i2c {
        return loaded.driver.instantiate(store);
    }
    let instance = loaded.driver.instance_pre().instantiate(&mut *store)?;
    let connect = wasi_i2c::of(store, &instance)?;
    store.data_mut().wasi_i2c = Some(Arc::new(connect));
    crate::bindings::Driver::new(store, &instance)
}
