//! The simulated board as the board file describes it.

use crate::board_file::{Backend, BoardFile, Level, PinBias, PlayEntry, Pull};
use crate::error::BoardError;
use crate::recording::{Recorder, VcdFile};
use crate::time::Time;
use loopgate_devices::sim::{SimBoard, SimLineConfig};
use loopgate_devices::{capture, gpio, sim};
use loopgate_workloop::Instant;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

pub(crate) struct Simulation {
    board: Arc<SimBoard>,
    /// Opened when the board is built, so that it refuses to start rather
    /// than fail in the middle; played once the drivers run.
    plays: Vec<Play>,
    stimuli: Vec<(std::time::Duration, String, bool)>,
    /// It has lines, and real time in which they change.
    has_player: bool,
    recorder: Option<Recorder>,
    player: Option<sim::Player>,
    /// Behind the player, so that it is completed when that has stopped.
    recording: Option<sim::Recording>,
}

struct Play {
    place: String,
    capture: capture::Capture,
    /// Each with its line, in the recording's order.
    channels: Vec<(String, String)>,
    invert: bool,
    start: std::time::Duration,
    times: u64,
}

impl Simulation {
    pub(crate) fn new(
        file: &BoardFile,
        time: &Time,
        vcd: Option<&VcdFile>,
    ) -> Result<Self, BoardError> {
        let mut stimuli: Vec<_> = file
            .board
            .stimuli
            .iter()
            .map(|stimulus| {
                (
                    stimulus.at.0,
                    stimulus.line.get_ref().clone(),
                    stimulus.level == Level::High,
                )
            })
            .collect();
        stimuli.sort_by_key(|stimulus| stimulus.0);
        let simulated = file.board.backend == Backend::Sim;
        if let (Some(vcd), false) = (vcd, simulated) {
            return Err(BoardError::Invalid {
                place: file.path().display().to_string(),
                message: format!(
                    "the lines are the kernel's, which are not recorded to `{}`; leave the recording out, or use `backend = \"sim\"`",
                    vcd.path().display()
                ),
            });
        }
        let lines = if simulated { lines(file) } else { Vec::new() };
        let board = SimBoard::new(time.clock(), lines);
        vcd.map_or(Ok(()), |vcd| refuse_overwriting(file, vcd))?;
        Ok(Self {
            plays: file
                .board
                .plays
                .iter()
                .map(|play| open(file, play))
                .collect::<Result<_, _>>()?,
            stimuli,
            has_player: simulated && matches!(time, Time::Real(_)),
            recorder: vcd.map(|vcd| vcd.create(&board)).transpose()?,
            player: None,
            recording: None,
            board,
        })
    }

    pub(crate) fn board(&self) -> &Arc<SimBoard> {
        &self.board
    }

    /// Lines that only drivers of this file have. Those that are there stay as
    /// they are.
    pub(crate) fn add_lines(&self, file: &BoardFile) {
        if file.board.backend == Backend::Sim {
            self.board.add_lines(lines(file));
        }
    }

    /// What comes is not on record any more.
    pub(crate) fn end_recording(&mut self) {
        self.recording = None;
    }

    /// Plays stimuli and recordings from `start` on; in real time on a thread
    /// of the board's own.
    pub(crate) fn begin(&mut self, start: Instant) -> Result<(), BoardError> {
        if let Some(recorder) = self.recorder.take() {
            self.recording = Some(recorder.start(start)?);
        }
        for (at, line, high) in std::mem::take(&mut self.stimuli) {
            self.board
                .play(&line, [(start.saturating_add(at), high)])
                .map_err(|error| missing(&error))?;
        }
        for play in std::mem::take(&mut self.plays) {
            self.play(&play, start)?;
        }
        if self.has_player {
            let player = self.board.spawn_player().map_err(|error| {
                BoardError::Host(format!("no thread for the simulated board: {error}"))
            })?;
            self.player = Some(player);
        }
        Ok(())
    }

    /// Streams that are added in the recording's order: what changes in one
    /// sample is then applied in that order.
    fn play(&self, play: &Play, start: Instant) -> Result<(), BoardError> {
        let begin = start.saturating_add(play.start);
        for (channel, line) in &play.channels {
            let edges = play.capture.edges(channel, play.invert, begin);
            let edges = edges.map_err(|cause| BoardError::Capture {
                place: play.place.clone(),
                cause,
            })?;
            let (capture, place) = (play.capture.clone(), play.place.clone());
            // Only a file that changed since it was opened ends early.
            let at_end = std::iter::from_fn(move || {
                if let Some(fault) = capture.fault() {
                    tracing::error!("{place}: the recording ends early: {fault}");
                }
                None
            });
            let edges = edges.times(play.times).chain(at_end);
            let played = self.board.play(line, edges);
            played.map_err(|error| missing(&error))?;
        }
        Ok(())
    }
}

fn missing(error: &gpio::Error) -> BoardError {
    BoardError::Host(error.to_string())
}

/// A recording that is played is not to be recorded over.
fn refuse_overwriting(file: &BoardFile, vcd: &VcdFile) -> Result<(), BoardError> {
    // Whatever its names.
    let file_at = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.dev(), meta.ino()))
    };
    let same =
        |one: &Path, other: &Path| file_at(one).is_some_and(|one| file_at(other) == Some(one));
    let mut plays = file.board.plays.iter();
    match plays.find(|play| same(&file.resolve(play.capture.get_ref()), vcd.path())) {
        Some(play) => Err(BoardError::Invalid {
            place: file.place(&play.capture),
            message: format!(
                "`{}` is played here and cannot be recorded to as well; record to another file",
                vcd.path().display()
            ),
        }),
        None => Ok(()),
    }
}

fn open(file: &BoardFile, play: &PlayEntry) -> Result<Play, BoardError> {
    let place = file.place(&play.capture);
    let invalid = |cause| BoardError::Capture {
        place: place.clone(),
        cause,
    };
    let capture = capture::open(file.resolve(play.capture.get_ref())).map_err(invalid)?;
    let mut channels: Vec<_> = play
        .channels()
        .map(|(channel, line)| (channel.to_owned(), line.get_ref().clone()))
        .collect();
    for (channel, _) in &channels {
        // Looked for now, not when the drivers run already.
        let found = capture.edges(channel, play.invert, Instant::ZERO);
        found.map_err(invalid)?;
    }
    channels.sort_by_key(|(channel, _)| capture.position(channel));
    if capture.length().is_zero() && play.repeat.times() > 1 {
        return Err(BoardError::Invalid {
            place,
            message: "this recording has no length, so it cannot be repeated; leave `repeat` out"
                .to_owned(),
        });
    }
    Ok(Play {
        place,
        capture,
        channels,
        invert: play.invert,
        start: play.start(),
        times: play.repeat.times(),
    })
}

/// Every line of the board that the file names, with its pull: as it is configured, else
/// as the driver that has it asks for, else down.
fn lines(file: &BoardFile) -> Vec<SimLineConfig> {
    let mut lines = BTreeMap::new();
    for stimulus in &file.board.stimuli {
        lines.insert(stimulus.line.get_ref().clone(), Pull::Down);
    }
    for play in &file.board.plays {
        for (_, line) in play.channels() {
            lines.insert(line.get_ref().clone(), Pull::Down);
        }
    }
    for pin in file.board_pins() {
        let name = pin.line.get_ref().clone();
        let pull = lines.entry(name).or_insert(Pull::Down);
        if pin.bias == PinBias::PullUp {
            *pull = Pull::Up;
        }
    }
    for device in &file.board.i2c_devices {
        for line in device.lines.iter().chain(&device.interrupt) {
            lines.insert(line.get_ref().clone(), Pull::Up);
        }
    }
    for line in &file.board.lines {
        lines.insert(line.name.get_ref().clone(), line.pull);
    }
    let line = |(name, pull)| match pull {
        Pull::Up => SimLineConfig::new(name, sim::Pull::Up),
        Pull::Down => SimLineConfig::new(name, sim::Pull::Down),
    };
    lines.into_iter().map(line).collect()
}
