//! An infrared receiver. See README.md.

#![forbid(unsafe_code)]

mod nec;

use std::collections::VecDeque;

use loopgate_guest::prelude::*;
use nec::{Decoder, Key};

/// The service's only selector.
const KEYS: u32 = 1;

/// Keys kept; at most 60 bytes each when printed, so a reply has at most 15 KiB.
const KEPT: usize = 256;

/// Edges fetched at a time: what a frame has, and some.
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
        let service = cx.service("ir").selector(
            KEYS,
            "keys",
            "",
            "the latest keys, oldest first, a JSON object a line; scalar: keys received in all",
        );
        Ok(Self {
            ir: cx.interrupt(&pin.edges(Edges::Both)?)?,
            decoder: Decoder::new(),
            next_sequence: 0,
            keys: VecDeque::with_capacity(KEPT),
            received: 0,
            _pin: pin,
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        if event.lost > 0 {
            warn!(
                "{} edges lost; the key they belong to is lost with them",
                event.lost
            );
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
        match request.selector {
            KEYS => Ok(Reply::new(
                self.received,
                self.print(request.reply_max as usize),
            )),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

impl IrNec {
    fn edge(&mut self, edge: Occurrence) {
        if edge.sequence != self.next_sequence {
            self.decoder.reset();
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

    /// The latest keys that fit into `room` bytes: a client that takes little
    /// gets the end of the list rather than an error.
    fn print(&self, room: usize) -> String {
        let lines: Vec<String> = self.keys.iter().map(|key| format!("{key}\n")).collect();
        let mut length = 0;
        let fits = |line: &&String| {
            length += line.len();
            length <= room
        };
        let count = lines.iter().rev().take_while(fits).count();
        lines[lines.len() - count..].concat()
    }
}

driver!(IrNec);
