//! The simulated board as the board file describes it.

use crate::board_file::{BoardFile, Level, PinBias, PlayEntry, Pull};
use crate::error::BoardError;
use crate::time::Time;
use loopgate_devices::sim::{SimBoard, SimLineConfig};
use loopgate_devices::{capture, gpio, sim};
use loopgate_workloop::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) struct Simulation {
    board: Arc<SimBoard>,
    /// Opened when the board is built, so that it refuses to start rather
    /// than fail in the middle; played once the drivers run.
    plays: Vec<Play>,
    stimuli: Vec<(std::time::Duration, String, bool)>,
    real_time: bool,
    player: Option<sim::Player>,
}

struct Play {
    place: String,
    capture: capture::Capture,
    channel: String,
    line: String,
    invert: bool,
    start: std::time::Duration,
}

impl Simulation {
    pub(crate) fn new(file: &BoardFile, time: &Time) -> Result<Self, BoardError> {
        let line = |(name, pull)| match pull {
            Pull::Up => SimLineConfig::new(name, sim::Pull::Up),
            Pull::Down => SimLineConfig::new(name, sim::Pull::Down),
        };
        let lines = lines(file).into_iter().map(line).collect();
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
        Ok(Self {
            board: SimBoard::new(time.clock(), lines),
            plays: file
                .board
                .plays
                .iter()
                .map(|play| open(file, play))
                .collect::<Result<_, _>>()?,
            stimuli,
            real_time: matches!(time, Time::Real(_)),
            player: None,
        })
    }

    pub(crate) fn board(&self) -> &Arc<SimBoard> {
        &self.board
    }

    /// Plays stimuli and recordings from `start` on; in real time on a thread
    /// of the board's own.
    pub(crate) fn begin(&mut self, start: Instant) -> Result<(), BoardError> {
        let missing = |error: gpio::Error| BoardError::Host(error.to_string());
        for (at, line, high) in std::mem::take(&mut self.stimuli) {
            self.board
                .play(&line, [(start.saturating_add(at), high)])
                .map_err(missing)?;
        }
        for play in std::mem::take(&mut self.plays) {
            let begin = start.saturating_add(play.start);
            let edges = play
                .capture
                .edges(&play.channel, play.invert, begin)
                .map_err(|cause| BoardError::Capture {
                    place: play.place.clone(),
                    cause,
                })?;
            // Only a file that changed since it was opened ends early.
            let at_end = std::iter::from_fn(move || {
                if let Some(fault) = play.capture.fault() {
                    tracing::error!("{}: the recording ends early: {fault}", play.place);
                }
                None
            });
            self.board
                .play(&play.line, edges.chain(at_end))
                .map_err(missing)?;
        }
        if self.real_time {
            let player = self.board.spawn_player().map_err(|error| {
                BoardError::Host(format!("no thread for the simulated board: {error}"))
            })?;
            self.player = Some(player);
        }
        Ok(())
    }
}

fn open(file: &BoardFile, play: &PlayEntry) -> Result<Play, BoardError> {
    let place = file.place(&play.capture);
    let capture = capture::open(file.resolve(play.capture.get_ref()))
        .and_then(|capture| {
            // The channel is looked for now, not when the drivers run already.
            capture.edges(&play.channel, play.invert, Instant::ZERO)?;
            Ok(capture)
        })
        .map_err(|cause| BoardError::Capture {
            place: place.clone(),
            cause,
        })?;
    Ok(Play {
        place,
        capture,
        channel: play.channel.clone(),
        line: play.line.get_ref().clone(),
        invert: play.invert,
        start: play.start(),
    })
}

/// Every line that the file names, with its pull: as it is configured, else
/// as the driver that has it asks for, else down.
fn lines(file: &BoardFile) -> BTreeMap<String, Pull> {
    let mut lines = BTreeMap::new();
    for stimulus in &file.board.stimuli {
        lines.insert(stimulus.line.get_ref().clone(), Pull::Down);
    }
    for play in &file.board.plays {
        lines.insert(play.line.get_ref().clone(), Pull::Down);
    }
    for (_, pin) in file
        .drivers
        .iter()
        .flat_map(|driver| driver.gpio_in_order())
    {
        let pull = if pin.bias == PinBias::PullUp {
            Pull::Up
        } else {
            Pull::Down
        };
        lines.insert(pin.line.get_ref().clone(), pull);
    }
    for line in &file.board.lines {
        lines.insert(line.name.get_ref().clone(), line.pull);
    }
    lines
}
