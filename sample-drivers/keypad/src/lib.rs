//! A matrix of keys on another driver's pins. See README.md.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use loopgate_guest::prelude::*;

const NEXT_KEY: u32 = 1;

/// Keys that are kept for who asks later; the oldest makes room.
const KEPT: usize = 16;

struct Keypad {
    /// All low between the scans, so that every key pulls its column low.
    rows: Vec<OutputPin>,
    columns: Vec<(InputPin, Interrupt)>,
    /// What stands on the keys, row by row.
    faces: Vec<char>,
    debounce: Timer,
    quiet: Duration,
    /// The keys that are down: the columns of each row, a bit each.
    down: Vec<u32>,
    typed: VecDeque<char>,
    waiting: VecDeque<Pending>,
    _service: Service,
}

impl Driver for Keypad {
    fn start(cx: &Context) -> Result<Self> {
        let faces: Vec<char> = cx
            .config("keys")
            .unwrap_or("123456789*0#")
            .chars()
            .collect();
        let width = cx.config_or("columns", 3_usize)?.clamp(1, 32);
        let row = |row| cx.output(&format!("row{row}"));
        let column = |column| -> Result<_> {
            let pin = cx.input(&format!("column{column}"))?;
            let edges = cx.interrupt(&pin.edges(Edges::Both)?)?;
            Ok((pin, edges))
        };
        let height = faces.len().div_ceil(width);
        let service = cx.service("keypad").concurrent().selector(
            NEXT_KEY,
            "next-key",
            "",
            "the next key, once there is one",
        );
        Ok(Self {
            rows: (0..height).map(row).collect::<Result<_>>()?,
            columns: (0..width).map(column).collect::<Result<_>>()?,
            faces,
            debounce: cx.timer()?,
            quiet: cx.config_or("debounce-ms", 5)?.millis(),
            down: vec![0; height],
            typed: VecDeque::new(),
            waiting: VecDeque::new(),
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        self.debounce.set_timeout(self.quiet)
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        let down = self.scan()?;
        // Three keys at the corners of a rectangle look like four.
        let crosses = |row: usize| {
            down[..row]
                .iter()
                .any(|above| (above & down[row]).count_ones() > 1)
        };
        if !(0..down.len()).any(crosses) {
            self.press(&down)?;
            self.down.clone_from(&down);
        }
        // A line that was off has told nothing of what happened meanwhile.
        let seen = down.iter().fold(0, |all, row| all | row);
        if self.low_columns()? != seen {
            self.debounce.set_timeout(self.quiet)?;
        }
        Ok(())
    }

    /// The pins are open still, and in the state that they were: what was
    /// pressed or let go meanwhile is to be seen.
    fn structural(&mut self, event: StructuralEvent, _: &str) -> Readiness {
        if event == StructuralEvent::ProviderPublished
            && let Err(error) = self.debounce.set_timeout(self.quiet)
        {
            error!("no scan of the new pins: {error}");
        }
        Readiness::Ready
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        if let Some(key) = self.typed.pop_front() {
            return Ok(reply(key));
        }
        let (pending, reply) = request.defer();
        self.waiting.push_back(pending);
        Ok(reply)
    }

    fn cancelled(&mut self, id: RequestId) {
        self.waiting.retain(|pending| pending.id() != id);
    }
}

impl Keypad {
    /// The edges that this causes are no keys: the lines are off meanwhile.
    fn scan(&self) -> Result<Vec<u32>> {
        self.columns.iter().for_each(|(_, edges)| edges.disable());
        let down = self.scan_rows();
        self.columns.iter().for_each(|(_, edges)| edges.enable());
        down
    }

    /// Lets one row after the other be low alone.
    fn scan_rows(&self) -> Result<Vec<u32>> {
        self.rows.iter().try_for_each(OutputPin::set_high)?;
        let columns_of = |row: &OutputPin| {
            row.set_low()?;
            let columns = self.low_columns()?;
            row.set_high()?;
            Ok(columns)
        };
        let down = self.rows.iter().map(columns_of).collect::<Result<_>>()?;
        self.rows.iter().try_for_each(OutputPin::set_low)?;
        Ok(down)
    }

    fn low_columns(&self) -> Result<u32> {
        let columns = self.columns.iter().zip(0..);
        columns
            .map(|((pin, _), bit)| Ok(u32::from(pin.is_low()?) << bit))
            .sum()
    }

    /// Each key that was not down before answers one request.
    fn press(&mut self, down: &[u32]) -> Result<()> {
        let width = self.columns.len();
        for (place, &face) in self.faces.iter().enumerate() {
            let (row, bit) = (place / width, 1 << (place % width));
            if down[row] & !self.down[row] & bit == 0 {
                continue;
            }
            if let Some(pending) = self.waiting.pop_front() {
                pending.complete(Ok(reply(face)))?;
                continue;
            }
            if self.typed.len() == KEPT {
                self.typed.pop_front();
            }
            self.typed.push_back(face);
        }
        Ok(())
    }
}

fn reply(key: char) -> Reply {
    Reply::new(u64::from(key), key.to_string())
}

driver!(Keypad);
