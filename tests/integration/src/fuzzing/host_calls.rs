//! Drivers that do what the bytes say, on a board to which happens what the bytes
//! say, between two drivers that behave.

use super::input::Input;
use crate::{ask, assert_running, cache, entry, guest, supervised};
use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, Cancel, Mode, PowerState, Request};
use std::fmt::Write as _;
use std::time::Duration;

/// What happens to the board in one input, at most.
const EVENTS: usize = 200;
/// The drivers that run programs, each with a service of its name.
const FUZZED: [&str; 2] = ["one", "two"];
/// Those that behave: on the same loop, and on another. They have a line of their name.
const NEIGHBOURS: [&str; 2] = ["neighbour", "apart"];
/// How far time may go at once, in us.
const SPANS: [u64; 8] = [0, 1, 100, 1_000, 10_000, 250_000, 1_000_000, 11_000_000];
/// Lines that the fuzzed drivers have.
const LINES: [&str; 6] = [
    "IN-one",
    "IN-two",
    "LEVEL-one",
    "LEVEL-two",
    "SHARED",
    "OUT-one",
];

/// Plays the bytes.
pub fn host_calls(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut scene = Scene::new(&mut input);
    for _ in 0..EVENTS {
        if input.is_over() {
            break;
        }
        scene.event(&mut input);
    }
    scene.end();
}

struct Scene {
    board: Board,
    /// That each neighbour was sent.
    edges: [u64; 2],
}

impl Scene {
    fn new(input: &mut Input<'_>) -> Self {
        let text = format!("[board]\nbackend = \"sim\"\n{}", drivers(input));
        let file = BoardFile::parse(&text, "/board/fuzz.toml").expect("it is a board file");
        let board = Board::builder()
            .board(file)
            .clock(ClockKind::Virtual)
            .cache_directory(cache().join("code"))
            .without_crash_reports()
            .build()
            .expect("a board");
        Self {
            board,
            edges: [0; 2],
        }
    }

    /// What is refused is refused: nothing here must work.
    fn event(&mut self, input: &mut Input<'_>) {
        let kind = input.byte();
        let driver = FUZZED[usize::from(kind >> 7)];
        match kind & 15 {
            0..=4 => self.call(driver, input),
            5 | 6 => self.set(input),
            7 | 8 => {
                let span = SPANS[usize::from(input.byte() & 7)];
                self.board.run_for(Duration::from_micros(span));
            }
            9 => self.port(driver, input),
            10 => self.neighbour(usize::from(kind >> 7), input),
            11 => drop(self.board.stop_driver(driver)),
            12 => drop(self.board.start_driver(driver)),
            13 => drop(self.board.reload(driver)),
            14 => drop(self.board.force_reload(driver)),
            _ if kind & 16 == 0 => drop(self.board.power(PowerState::Sleep)),
            _ => drop(self.board.power(PowerState::On)),
        }
    }

    fn call(&self, driver: &str, input: &mut Input<'_>) {
        let how = input.byte();
        let wait = Duration::from_micros(SPANS[usize::from(how & 7)]);
        let mut request = Request::numbered(1 + u32::from(how >> 3 & 3))
            .scalar(u64::from(input.byte()))
            .data(input.chunk())
            .mode(if how & 0x20 == 0 {
                Mode::Run(Some(wait))
            } else {
                Mode::Attempt
            });
        request.immediate = how & 0x40 != 0;
        let cancel = Cancel::default();
        if how & 0x80 != 0 && how & 1 != 0 {
            cancel.cancel();
        }
        drop(self.board.call_cancellable(driver, request, &cancel));
    }

    fn set(&self, input: &mut Input<'_>) {
        let what = input.byte();
        let line = LINES[usize::from(what >> 4) % LINES.len()];
        let result = match what & 3 {
            3 => self.board.sim().release(line),
            level => self.board.sim().set(line, level & 1 == 1),
        };
        result.expect("the line is there");
    }

    fn port(&self, driver: &str, input: &mut Input<'_>) {
        let port = format!("PORT-{driver}");
        let ports = self.board.sim_ports();
        let result = match input.byte() % 8 {
            0 => ports.unplug(&port),
            1 => ports.plug(&port),
            2 => ports.take(&port).map(drop),
            3 => ports.feed_damaged(&port, input.chunk()),
            4 => ports.send_break(&port),
            _ => ports.feed(&port, input.chunk()),
        };
        result.expect("the port is there");
    }

    fn neighbour(&mut self, which: usize, input: &mut Input<'_>) {
        for _ in 0..input.byte() % 8 {
            self.edges[which] += 1;
            let high = self.edges[which] % 2 == 1;
            let set = self.board.sim().set(NEIGHBOURS[which], high);
            set.expect("the line is there");
        }
    }

    /// Those that behave were not harmed, and the board still answers.
    fn end(self) {
        self.board.run_for(Duration::from_secs(2));
        for (name, edges) in NEIGHBOURS.into_iter().zip(self.edges) {
            assert_running(&self.board, name);
            let (delivered, lost) = (
                ask(&self.board, name, "edges"),
                ask(&self.board, name, "lost"),
            );
            assert_eq!(delivered + lost, edges, "edges of `{name}`");
            // What comes at once, without a moment between, may be more than a source holds.
            assert!(lost == 0 || edges > 1024, "`{name}` lost {lost} of {edges}");
        }
        let status = self.board.status();
        assert_eq!(status.drivers.len(), FUZZED.len() + NEIGHBOURS.len());
        serde_json::to_string(&status).expect("it is written as JSON");
        self.board.shutdown();
    }
}

fn drivers(input: &mut Input<'_>) -> String {
    let mut text = String::new();
    for (name, place) in NEIGHBOURS.into_iter().zip(["provider", "dedicated"]) {
        let rest = format!(
            "provides = [\"{name}\"]\nwork-loop = \"{place}\"\n\
             config = {{ service = \"{name}\", period-ms = \"1000\" }}\n\
             [driver.gpio]\nin = {{ line = \"{name}\", direction = \"input\", edges = \"both\" }}"
        );
        text += &entry(name, &guest("probe_counter"), &rest);
    }
    let how = input.byte();
    for (bit, name) in FUZZED.into_iter().enumerate() {
        let place = ["provider", "dedicated"][usize::from(how >> bit & 1)];
        text += &fuzzed(name, place, input.chunk());
    }
    text
}

/// One has a neighbour to ask; the other has that one, and its pins.
fn fuzzed(name: &str, place: &str, program: &[u8]) -> String {
    let program = program.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let (uses, lent) = match name {
        "one" => ("\"neighbour\"", ""),
        _ => (
            "\"one\", \"pins-one\"",
            "lent = { line = \"pins-one:in\", direction = \"input\", edges = \"both\" }\n\
             lent-out = { line = \"pins-one:out\", direction = \"output\" }\n",
        ),
    };
    let rest = format!(
        "provides = [\"{name}\", \"pins-{name}\"]\nuses = [{uses}]\nwork-loop = \"{place}\"\n\
         config = {{ service = \"{name}\", program = \"{program}\" }}\n\
         [driver.gpio]\n{lent}\
         in = {{ line = \"IN-{name}\", direction = \"input\", edges = \"both\", rate-cap = 1000 }}\n\
         out = {{ line = \"OUT-{name}\", direction = \"output\", on-death = \"low\" }}\n\
         level = {{ line = \"LEVEL-{name}\", direction = \"input\", edges = \"high-level\" }}\n\
         shared = {{ line = \"SHARED\", direction = \"input\", edges = \"both\", shared = true }}\n\
         [driver.serial]\nport = {{ sim = \"PORT-{name}\", buffer = \"64 B\" }}"
    );
    supervised(name, &guest("probe_program"), &rest)
}
