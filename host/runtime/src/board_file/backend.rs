//! What only a simulated board has.

use super::is_kernels;
use super::{Backend, BoardFile, ClockKind};
use crate::error::BoardError;
use std::ops::Range;

impl Backend {
    /// As the board file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Linux => "linux",
        }
    }

    /// Whether somebody can play what is outside.
    pub fn is_simulated(self) -> bool {
        self == Self::Sim
    }
}

impl BoardFile {
    pub(super) fn check_backend(&self) -> Result<(), BoardError> {
        if self.board.backend.is_simulated() {
            return Ok(());
        }
        self.check_clock(self.board.clock == ClockKind::Virtual)?;
        let board = &self.board;
        let lines = board.lines.iter().map(|line| line.name.span());
        let lines = lines.map(|span| (span, "`[[board.line]]`"));
        let stimuli = board.stimuli.iter().map(|stimulus| stimulus.line.span());
        let stimuli = stimuli.map(|span| (span, "`[[board.stimulus]]`"));
        let plays = board.plays.iter().map(|play| play.capture.span());
        let plays = plays.map(|span| (span, "`[[board.play]]`"));
        let ports = self
            .drivers
            .iter()
            .flat_map(|driver| driver.serial.values());
        let ports = ports.filter_map(|port| port.sim.as_ref());
        let ports = ports.map(|name| (name.span(), "a port with `sim`"));
        let simulated = self.simulated_buses();
        match lines.chain(stimuli).chain(plays).chain(ports).chain(simulated).next() {
            None => Ok(()),
            Some((span, what)) => Err(self.source.invalid(
                span,
                &format!(
                    "{what} is for the simulated board, and this one's backend is `linux`; leave it out, or write `backend = \"sim\"`"
                ),
            )),
        }
    }

    fn simulated_buses(&self) -> impl Iterator<Item = (Range<usize>, &'static str)> {
        let i2c = self.board.i2c_devices.iter().map(|device| &device.bus);
        let i2c = i2c.map(|bus| (bus.span(), "`[[board.i2c-device]]`"));
        let spi = self.board.spi_devices.iter().map(|device| &device.bus);
        let spi = spi.map(|bus| (bus.span(), "`[[board.spi-device]]`"));
        let granted = self.drivers.iter().flat_map(|driver| {
            let i2c = driver.i2c.values().map(|entry| &entry.bus);
            i2c.chain(driver.spi.values().map(|entry| &entry.bus))
        });
        let granted = granted.filter(|bus| !is_kernels(bus.get_ref()));
        let granted = granted.map(|bus| (bus.span(), "a bus that is no file such as `/dev/i2c-1`"));
        i2c.chain(spi).chain(granted)
    }

    /// The kernel's devices know one time.
    pub(crate) fn check_clock(&self, is_virtual: bool) -> Result<(), BoardError> {
        if !is_virtual || self.board.backend.is_simulated() {
            return Ok(());
        }
        Err(BoardError::Invalid {
            place: self.path().display().to_string(),
            message: "the clock is virtual, and the lines are the kernel's, which know real time only; write `clock = \"real\"`, or `backend = \"sim\"`".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::board_file::BoardFile;

    fn parsed(rest: &str) -> Result<BoardFile, String> {
        let text = format!("[board]\nbackend = \"linux\"\n{rest}");
        BoardFile::parse(&text, "board.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn the_kernels_lines_go_by_name_or_by_place() {
        let driver = "[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n[driver.gpio]\n\
                      a = { line = \"GPIO17\", direction = \"input\", edges = \"both\" }\n\
                      b = { line = \"gpiochip0:4\", direction = \"output\", drive = \"open-drain\" }\n\
                      [driver.serial]\n\
                      tty = { device = \"/dev/ttyAMA0\" }\n\
                      pty = { pty = \"run/port\" }\n";
        assert_eq!(parsed(driver).unwrap().board.backend.name(), "linux");
    }

    #[test]
    fn what_is_simulated_is_refused_with_its_place() {
        let port = "[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n[driver.serial]\n\
                    p = { sim = \"port\" }\n";
        let table = [
            (
                "clock = \"virtual\"\n",
                "board.toml",
                "the clock is virtual",
            ),
            (
                "[[board.line]]\nname = \"L\"\n",
                "board.toml:4",
                "`[[board.line]]`",
            ),
            (
                "[[board.stimulus]]\nat = \"1 s\"\nline = \"L\"\nlevel = \"low\"\n",
                "board.toml:5",
                "`[[board.stimulus]]`",
            ),
            (
                "[[board.play]]\ncapture = \"a.vcd\"\nchannel = \"A\"\nline = \"L\"\n",
                "board.toml:4",
                "`[[board.play]]`",
            ),
            (port, "board.toml:7", "a port with `sim`"),
            (
                "[[board.i2c-device]]\nbus = \"i2c-1\"\naddress = 64\nmodel = \"sht4x\"\n",
                "board.toml:4",
                "`[[board.i2c-device]]`",
            ),
            (
                "[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n[driver.i2c]\n\
                 s = { bus = \"i2c-1\", address = 64 }\n",
                "board.toml:7",
                "a bus that is no file",
            ),
        ];
        for (rest, place, words) in table {
            let error = parsed(rest).unwrap_err();
            assert!(error.starts_with(&format!("{place}: ")), "{error}");
            assert!(
                error.contains(words) && error.contains("`backend = \"sim\"`"),
                "{error}"
            );
        }
    }
}
