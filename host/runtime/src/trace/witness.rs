//! What stands at the boundary of one instance.

use super::faults::Faults;
use super::recorder::Recorder;
use super::wire::{Put, put_number};
use super::{CHUNK_MAX, ENDED, RETURNED, TRAPPED, chunk};
use crate::bindings::WitErrorCode;
use crate::engine::Digest;
use crate::guest::Guest;
use crate::limits::LimitHit;
use std::sync::Arc;

/// What the buffer of an instance keeps between handlers.
const KEPT: usize = 64 << 10;

/// What looks at a driver, whichever instance of it runs.
#[derive(Clone, Default)]
pub(crate) struct Traced {
    pub(crate) recorder: Option<Arc<Recorder>>,
    pub(crate) faults: Option<Arc<Faults>>,
    /// The driver's number in the recording.
    number: u64,
}

impl Traced {
    pub(crate) fn new(
        name: &str,
        recorder: Option<Arc<Recorder>>,
        faults: Option<Arc<Faults>>,
    ) -> Self {
        let number = recorder.as_ref().map(|recorder| recorder.driver(name));
        Self {
            number: number.unwrap_or_default(),
            recorder,
            faults,
        }
    }

    /// For one instance; none where nobody looks.
    pub(crate) fn witness(&self) -> Option<Box<Witness>> {
        let is_traced = self.recorder.is_some() || self.faults.is_some();
        is_traced.then(|| {
            Box::new(Witness {
                traced: self.clone(),
                chunk: Vec::new(),
                is_lost: false,
            })
        })
    }
}

/// Looks at one instance.
pub(crate) struct Witness {
    traced: Traced,
    /// What has crossed since the handler began.
    chunk: Vec<u8>,
    /// Something of the instance could not be written, so that what follows says nothing.
    is_lost: bool,
}

impl Witness {
    /// Where what crosses is written.
    #[inline]
    fn out(&mut self) -> Option<&mut Vec<u8>> {
        if self.is_lost || self.traced.recorder.is_none() {
            return None;
        }
        if self.chunk.len() > CHUNK_MAX {
            self.lose();
            return None;
        }
        Some(&mut self.chunk)
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.chunk = Vec::new();
        if let Some(recorder) = &self.traced.recorder {
            recorder.lost(self.traced.number);
        }
    }

    fn begin(&mut self, kind: u8, generation: u64, time: u64) -> Option<&mut Vec<u8>> {
        let number = self.traced.number;
        self.chunk.clear();
        let out = self.out()?;
        out.push(kind);
        for field in [number, generation, time] {
            put_number(field, out);
        }
        Some(out)
    }

    fn end<T: Put>(&mut self, answer: &wasmtime::Result<T>) {
        let Some(out) = self.out() else { return };
        // No call has this number.
        out.push(0);
        put_end(answer, out);
        if let Some(recorder) = &self.traced.recorder
            && (self.chunk.len() > CHUNK_MAX || !recorder.write(&self.chunk))
        {
            self.lose();
        }
        // What a large one has taken is not kept.
        self.chunk.clear();
        self.chunk.shrink_to(KEPT);
    }
}

fn put_end<T: Put>(answer: &wasmtime::Result<T>, out: &mut Vec<u8>) {
    match answer {
        Ok(answer) => {
            out.push(RETURNED);
            answer.put(out);
        }
        Err(error) => out.push(if is_limit(error) { ENDED } else { TRAPPED }),
    }
}

/// Whether the host has ended the call, and nothing in it.
fn is_limit(error: &wasmtime::Error) -> bool {
    let trap = error.downcast_ref();
    error.is::<LimitHit>()
        || matches!(
            trap,
            Some(wasmtime::Trap::OutOfFuel | wasmtime::Trap::Interrupt)
        )
}

impl Guest {
    /// An instance is about to be made of the component with this digest.
    pub(crate) fn instance_begins(&mut self, digest: &Digest) {
        let (generation, time) = (self.generation, self.driver.time.now().as_nanos());
        let limits = &self.driver.limits;
        let limits = [
            limits.memory,
            limits.table_elements,
            limits.handles.into(),
            limits.payload,
        ];
        let Some(witness) = &mut self.witness else {
            return;
        };
        if let Some(out) = witness.begin(chunk::INSTANCE, generation, time) {
            out.extend_from_slice(digest);
            for limit in limits {
                put_number(limit, out);
            }
        }
    }

    /// It was made, or not.
    pub(crate) fn instance_made<T>(&mut self, made: &wasmtime::Result<T>) {
        if let Some(witness) = &mut self.witness {
            let made = match made {
                Ok(_) => Ok(()),
                Err(_) => Err(wasmtime::Error::msg("trapped")),
            };
            witness.end(&made);
        }
    }

    pub(super) fn handler_begins(&mut self, number: u8, put: impl FnOnce(&mut Vec<u8>)) {
        let (generation, time) = (self.generation, self.driver.time.now().as_nanos());
        if let Some(witness) = &mut self.witness
            && let Some(out) = witness.begin(chunk::HANDLER, generation, time)
        {
            out.push(number);
            put(out);
        }
    }

    pub(super) fn handler_returned<T: Put>(&mut self, answer: &wasmtime::Result<T>) {
        if let Some(witness) = &mut self.witness {
            witness.end(answer);
        }
    }

    /// The driver calls a function.
    pub(crate) fn calls(&mut self, number: u8, put: impl FnOnce(&mut Vec<u8>)) {
        if let Some(out) = self.witness.as_mut().and_then(|witness| witness.out()) {
            out.push(number);
            put(out);
        }
    }

    /// Whether that call is to fail, which can fail so.
    pub(super) fn failing(&mut self, code: Option<WitErrorCode>) -> Option<WitErrorCode> {
        let faults = self.witness.as_ref()?.traced.faults.as_ref()?;
        code.filter(|_| faults.next())
    }

    /// The host has answered.
    pub(crate) fn answered<T: Put>(&mut self, answer: &wasmtime::Result<T>) {
        if let Some(out) = self.witness.as_mut().and_then(|witness| witness.out()) {
            put_end(answer, out);
        }
    }
}
