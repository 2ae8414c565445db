//! An infrared receiver. See README.md.

#![forbid(unsafe_code)]

mod nec;

use std::collections::VecDeque;

use loopgate_guest::prelude::*;
use nec::{Decoder, Key};

/// How many keys are kept; the oldest makes room.
const KEPT: usize = 256;

/// Edges fetched at a time: those of one frame, and some.
const BATCH: u32 = 80;

struct IrNec {
    ir: Interrupt,
    decoder: Decoder,
    next_sequence: u64,
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
            next_sequence: 0,
            keys: VecDeque::with_capacity(KEPT),
            received: 0,
            _pin: pin,
            _service: cx.service("ir").selector(1, "keys", "", output).publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        if event.lost > 0 {
            let lost = event.lost;
            warn!("{lost} edges lost, and the key that they belong to");
        }
        loop {
            let edges = self.ir.take_occurrences(BATCH);
            if edges.is_empty() {
                return Ok(());
            }
            for edge in edges {
                self.edge(edge);
            }
        }
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
    fn edge(&mut self, edge: Occurrence) {
        if edge.sequence != self.next_sequence {
            self.decoder = Decoder::default();
        }
        self.next_sequence = edge.sequence + 1;
        // The receiver pulls the line low while it sees the carrier.
        let Some(key) = self.decoder.edge(edge.timestamp.as_nanos(), !edge.high) else {
            return;
        };
        if self.keys.len() == KEPT {
            self.keys.pop_front();
        }
        self.keys.push_back(key);
        self.received += 1;
    }
}

driver!(IrNec);
