//! Something that echoes at the other end of a pseudo-terminal: the sample
//! driver `serial-echo`, or `cat`.

use anyhow::{Context as _, Result, ensure};
use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// How much is written at a time, in bytes.
pub(crate) const CHUNK: usize = 4096;

/// What echoes has the terminal's master in both cases, this program the tty.
pub(crate) struct Echo {
    tty: File,
    _behind: Behind,
}

/// What echoes; dropping it ends it.
enum Behind {
    Driver {
        _board: Box<Board>,
        _folder: tempfile::TempDir,
    },
    Cat(Child),
}

impl Echo {
    pub(crate) fn driver(component: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let text = format!(
            "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"echo\"\ncomponent = \"{}\"\nprovides = [\"serial-echo\"]\n[driver.serial]\nport = {{ pty = \"tty\", baud = 115200, buffer = \"64 KiB\" }}\n",
            component.display()
        );
        let file = BoardFile::parse(&text, folder.path().join("bench.toml"))?;
        let board = Board::builder()
            .board(file)
            .clock(ClockKind::Real)
            .without_cache()
            .build()?;
        Ok(Self {
            tty: open(&folder.path().join("tty"))?,
            _behind: Behind::Driver {
                _board: Box::new(board),
                _folder: folder,
            },
        })
    }

    pub(crate) fn cat() -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let tty = open(Path::new(name.to_str()?))?;
        let mut modes = tcgetattr(&tty)?;
        modes.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &modes)?;
        let cat = Command::new("cat")
            .stdin(Stdio::from(master.as_fd().try_clone_to_owned()?))
            .stdout(Stdio::from(master))
            .stderr(Stdio::null())
            .spawn()
            .context("`cat`")?;
        Ok(Self {
            tty,
            _behind: Behind::Cat(cat),
        })
    }

    /// Sends `count` pieces, and takes what comes back meanwhile.
    pub(crate) fn echo(&mut self, count: u32) -> Result<()> {
        let (mut input, mut output) = (&self.tty, &self.tty);
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                (0..count).try_for_each(|piece| output.write_all(&[piece as u8; CHUNK]))
            });
            let mut back = [0; CHUNK];
            for piece in 0..count {
                input.read_exact(&mut back)?;
                ensure!(back == [piece as u8; CHUNK], "it came back different");
            }
            let written = writer.join().map_err(|_| anyhow::anyhow!("panicked"))?;
            Ok(written?)
        })
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Self::Cat(child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn open(tty: &Path) -> Result<File> {
    let opened = OpenOptions::new().read(true).write(true).open(tty);
    opened.with_context(|| format!("`{}`", tty.display()))
}
