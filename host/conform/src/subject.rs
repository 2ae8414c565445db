//! Which driver is looked at, and on which board.

use crate::error::Error;
use loopgate::board_file::{Backend, ClockKind, DriverEntry, I2cEntry, SerialEntry, SpiEntry};
use loopgate::{Board, BoardFile, Builder, VirtualEngine};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A driver on its board, which is simulated, whatever its file says.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As it was named.
    given: PathBuf,
    component: PathBuf,
    board: BoardFile,
    driver: String,
    engine: VirtualEngine,
}

impl Subject {
    /// The component takes the place of that of `driver` in the board file; where no
    /// driver is named, of the board's only one, or of the one whose component's file
    /// has the same name. Without a board it is a board of its own, where nothing is
    /// granted to it.
    ///
    /// All of the board is simulated: `linux` becomes `sim`, `/dev/ttyAMA0` a port
    /// `ttyAMA0`, `/dev/i2c-1` a bus `i2c-1`.
    pub fn new(
        component: &Path,
        board: Option<&Path>,
        driver: Option<&str>,
    ) -> Result<Self, Error> {
        let given = component.to_owned();
        let component = std::path::absolute(component).map_err(|cause| Error::Unreadable {
            path: given.clone(),
            cause,
        })?;
        let mut board = match board {
            Some(path) => BoardFile::read(path)?,
            None => bare_board(&component, driver)?,
        };
        simulate(&mut board);
        let place = chosen(&board, &component, driver)?;
        let entry = &mut board.drivers[place];
        let span = entry.component.span();
        entry.component = Spanned::new(span, component.clone());
        entry.sha256 = None;
        let driver = entry.name.get_ref().clone();
        Ok(Self {
            given,
            component,
            board,
            driver,
            engine: VirtualEngine::new()?,
        })
    }

    /// The driver's component, as it was named.
    pub(crate) fn given(&self) -> &Path {
        &self.given
    }

    /// The driver's component.
    pub fn component(&self) -> &Path {
        &self.component
    }

    /// The driver, as its board calls it.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Its board.
    pub fn board(&self) -> &BoardFile {
        &self.board
    }

    /// Its board, to be changed: for example by what turns out to be missing. The
    /// driver must stay on it.
    pub fn board_mut(&mut self) -> &mut BoardFile {
        &mut self.board
    }

    /// The driver's entry.
    ///
    /// # Panics
    ///
    /// When the driver was taken from the board.
    pub fn entry(&self) -> &DriverEntry {
        let mut drivers = self.board.drivers.iter();
        let found = drivers.find(|known| *known.name.get_ref() == self.driver);
        found.expect("the driver stays on its board")
    }

    /// As [`entry`](Self::entry), to be changed.
    ///
    /// # Panics
    ///
    /// As that.
    pub fn entry_mut(&mut self) -> &mut DriverEntry {
        let mut drivers = self.board.drivers.iter_mut();
        let found = drivers.find(|known| *known.name.get_ref() == self.driver);
        found.expect("the driver stays on its board")
    }

    /// A board of it, in virtual time, which leaves no reports of deaths.
    pub fn builder(&self) -> Builder {
        Board::builder()
            .board(self.board.clone())
            .clock(ClockKind::Virtual)
            .engine(&self.engine)
            .without_crash_reports()
    }
}

/// One driver, to which nothing is granted.
fn bare_board(component: &Path, driver: Option<&str>) -> Result<BoardFile, Error> {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let stem: String = stem(component).chars().map(plain).take(64).collect();
    let name = driver.unwrap_or(&stem);
    let text = format!(
        "[board]\nbackend = \"sim\"\nclock = \"virtual\"\n\n[[driver]]\nname = {}\ncomponent = {}\n",
        toml::Value::from(name),
        toml::Value::from(component.display().to_string()),
    );
    Ok(BoardFile::parse(&text, component.with_extension("toml"))?)
}

fn stem(component: &Path) -> String {
    let stem = component.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn chosen(board: &BoardFile, component: &Path, driver: Option<&str>) -> Result<usize, Error> {
    let drivers = &board.drivers;
    let named = |name: &str| drivers.iter().position(|one| one.name.get_ref() == name);
    let same = |one: &&DriverEntry| stem(one.component.get_ref()) == stem(component);
    let found = match driver {
        Some(name) => named(name),
        None if drivers.len() == 1 => Some(0),
        None => {
            let mut same = drivers.iter().filter(same);
            let only = same.next().filter(|_| same.next().is_none());
            only.and_then(|only| named(only.name.get_ref()))
        }
    };
    found.ok_or_else(|| {
        let known: Vec<_> = drivers
            .iter()
            .map(|one| {
                format!(
                    "`{}` ({})",
                    one.name.get_ref(),
                    one.component.get_ref().display()
                )
            })
            .collect();
        let there_is = match known.len() {
            0 => "it has none".to_owned(),
            _ => format!("it has {}", known.join(", ")),
        };
        let message = match driver {
            Some(name) => format!("the board has no driver `{name}`; {there_is}"),
            None => format!(
                "which of the board's drivers is `{}`? {there_is}; name it, with `--driver` or in the scenario",
                component.display()
            ),
        };
        Error::Invalid {
            place: board.path().display().to_string(),
            message,
        }
    })
}

/// Real devices have their own time, and their own idea of what happens.
fn simulate(board: &mut BoardFile) {
    board.board.backend = Backend::Sim;
    board.board.clock = ClockKind::Virtual;
    for driver in &mut board.drivers {
        driver.serial.values_mut().for_each(simulate_port);
        driver
            .i2c
            .values_mut()
            .for_each(|I2cEntry { bus, .. }| simulate_bus(bus));
        driver
            .spi
            .values_mut()
            .for_each(|SpiEntry { bus, .. }| simulate_bus(bus));
    }
}

fn simulate_port(port: &mut SerialEntry) {
    if let Some(path) = port.device.take().or_else(|| port.pty.take()) {
        let name = Path::new(path.get_ref()).file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        port.sim = Some(Spanned::new(path.span(), name));
    }
}

fn simulate_bus(bus: &mut Spanned<String>) {
    if let Some(name) = bus.get_ref().strip_prefix("/dev/") {
        *bus = Spanned::new(bus.span(), name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = r#"
        [board]
        backend = "linux"
        [[driver]]
        name = "one"
        component = "a/first.wasm"
        sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
        [driver.serial]
        port = { device = "/dev/ttyAMA0" }
        [driver.i2c]
        chip = { bus = "/dev/i2c-1", address = 0x20 }
        [[driver]]
        name = "two"
        component = "a/second.wasm"
        [driver.serial]
        port = { pty = "run/gps" }
    "#;

    fn subject(component: &str, driver: Option<&str>) -> Result<Subject, String> {
        let folder = tempfile::tempdir().unwrap();
        let board = folder.path().join("board.toml");
        std::fs::write(&board, BOARD).unwrap();
        Subject::new(Path::new(component), Some(&board), driver).map_err(|error| error.to_string())
    }

    #[test]
    fn the_driver_is_the_one_of_that_name_or_of_that_file() {
        for (component, driver, name) in [
            ("/b/second.wasm", None, "two"),
            ("/b/second.wasm", Some("one"), "one"),
            ("first.wasm", None, "one"),
        ] {
            let subject = subject(component, driver).unwrap();
            assert_eq!(subject.driver(), name);
            let entry = subject.entry();
            assert!(entry.component.get_ref().is_absolute() && entry.sha256.is_none());
            assert!(
                entry
                    .component
                    .get_ref()
                    .ends_with(component.trim_start_matches('/'))
            );
        }
        for (component, driver) in [("third.wasm", None), ("first.wasm", Some("three"))] {
            let error = subject(component, driver).unwrap_err();
            assert!(
                error.contains("it has `one` (a/first.wasm), `two`"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_real_is_simulated() {
        let subject = subject("first.wasm", None).unwrap();
        let [one, two] = &subject.board().drivers[..] else {
            panic!("two drivers")
        };
        let port = |entry: &DriverEntry| entry.serial["port"].sim.clone().unwrap().into_inner();
        assert_eq!((port(one), port(two)), ("ttyAMA0".into(), "gps".into()));
        assert_eq!(one.i2c["chip"].bus.get_ref(), "i2c-1");
        assert_eq!(subject.board().board.backend, Backend::Sim);
    }

    #[test]
    fn without_a_board_it_has_one_of_its_own() {
        let subject = Subject::new(Path::new("/a/my driver.wasm"), None, None).unwrap();
        assert_eq!(subject.driver(), "my-driver");
        assert!(subject.entry().gpio.is_empty());
    }
}
