//! Recording what happens on the board's lines.

use crate::error::BoardError;
use loopgate_devices::sim::{self, Resolution, SimBoard};
use loopgate_workloop::Instant;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A VCD file to write, for [`Builder::record`](crate::Builder::record): the
/// levels of the simulated board's lines, from when its drivers have started.
#[derive(Clone, Debug)]
pub struct VcdFile {
    path: PathBuf,
    lines: Vec<String>,
    resolution: Resolution,
}

/// What was created and is to be filled.
pub(crate) struct Recorder {
    path: PathBuf,
    file: File,
    lines: sim::Recorder,
}

impl VcdFile {
    /// Every line, at 1 us. What `path` holds already is replaced.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lines: Vec::new(),
            resolution: Resolution::default(),
        }
    }

    /// Records these lines only; every line where there are none of them.
    #[must_use]
    pub fn lines(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.lines = lines.into_iter().map(Into::into).collect();
        self
    }

    /// How fine the times are.
    #[must_use]
    pub fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn create(&self, board: &Arc<SimBoard>) -> Result<Recorder, BoardError> {
        let lines = sim::Recorder::new(board, &self.lines, self.resolution);
        let lines = lines.map_err(|error| {
            let path = self.path.display();
            BoardError::Host(format!("`{path}` cannot be recorded: {error}"))
        })?;
        let file = create(&self.path).map_err(|cause| unwritable(&self.path, cause))?;
        Ok(Recorder {
            path: self.path.clone(),
            file,
            lines,
        })
    }
}

impl Recorder {
    pub(crate) fn start(self, start: Instant) -> Result<sim::Recording, BoardError> {
        let path = self.path.clone();
        let recording = self.lines.start(self.file, start, move |cause| {
            let error = unwritable(&path, cause);
            tracing::error!("{error}; the recording ends here, the board goes on");
        });
        recording.map_err(|cause| {
            let path = self.path.display();
            BoardError::Host(format!("no thread to write `{path}`: {cause}"))
        })
    }
}

/// The host waits for the file, in its end at the latest: so nothing that may never be
/// read.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    // Before it is opened, which would wait for a reader as well.
    if std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo()) {
        return Err(io::Error::other(
            "it is a pipe, whose reader would hold the board up",
        ));
    }
    File::create(path)
}

fn unwritable(path: &Path, cause: io::Error) -> BoardError {
    BoardError::Unwritable {
        path: path.to_owned(),
        cause,
    }
}
