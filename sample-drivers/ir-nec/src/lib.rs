//! An infrared receiver. See README.md.

#![forbid(unsafe_code)]

mod nec;

use std::collections::VecDeque;

use loopgate_guest::prelude::*;
use nec::{Decoder, Key};

/// How many keys are kept; the oldest makes room.
const KEPT: usize = 256;

struct IrNec {
    ir: Interrupt,
    decoder: Decoder,
    keys: VecDeque<Key>,
    received: u64,
    _pin: InputPin,
    _service: Service,
}

impl Driver for IrNec {
    fn start(cx: &Context) -> Result<Self> {
        let pin = cx.input("ir")?;
        let output = "the latest keys, oldest first, a JSON object a line; scalar: keys in all";
        Ok(Self {
            ir: cx.interrupt(&pin.edges(Edges::Both)?)?,
            decoder: Decoder::default(),
            keys: VecDeque::with_capacity(KEPT),
            received: 0,
            _pin: pin,
            _service: cx.service("ir").selector(1, "keys", "", output).publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        if event.lost > 0 {
            warn!("{} edges lost, and the key that they belong to", event.lost);
            self.decoder = Decoder::default();
        }
        for edge in self.ir.take_occurrences(event.count) {
            // The receiver pulls the line low while it sees the carrier.
            if let Some(key) = self.decoder.edge(edge.timestamp.as_nanos(), !edge.high) {
                self.keep(key);
            }
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        // A client that takes little gets the end of the list, not an error.
        let fit = request.reply_max as usize / nec::LINE_MAX;
        let skipped = self.keys.len().saturating_sub(fit);
        let lines = self.keys.iter().skip(skipped).map(|key| format!("{key}\n"));
        Ok(Reply::new(self.received, lines.collect::<String>()))
    }
}

impl IrNec {
    fn keep(&mut self, key: Key) {
        if self.keys.len() == KEPT {
            self.keys.pop_front();
        }
        self.keys.push_back(key);
        self.received += 1;
    }
}

driver!(IrNec);
