//! The program itself, running a board of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where its log goes, in its folder.
const LOG: &str = "log";

/// A running `loopgate run`, ended when dropped.
pub struct Program {
    child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    /// Runs a board file with this text, in a folder of its own.
    pub fn run(board: &str) -> Self {
        Self::prepared(board, &[], |_| ())
    }

    /// The same, with more arguments, and with what `prepare` puts into the
    /// folder first.
    pub fn prepared(board: &str, arguments: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        prepare(folder.path());
        std::fs::write(folder.path().join("board.toml"), board).expect("a board file");
        let child = spawn(folder.path(), arguments);
        let mut program = Self { child, folder };
        program.wait_until_ready();
        program
    }

    /// Ends it as `kill -9` does, and begins to run the same board file again.
    pub fn begin_again(&mut self) {
        self.kill();
        self.child = spawn(self.folder.path(), &[]);
    }

    /// Ends it as `kill -9` does: what it has printed that nobody has read.
    pub fn kill(&mut self) -> String {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().expect("it is a child");
        let mut printed = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            out.read_to_string(&mut printed).expect("it prints text");
        }
        printed
    }

    /// A path in the board's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has logged since it was begun.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path(LOG)).expect("it logs text")
    }

    /// What `loopgate ARGUMENTS` prints; it must succeed.
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = command(self.folder.path())
            .args(arguments)
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("it prints text")
    }

    /// The status of the first driver.
    pub fn status(&self) -> serde_json::Value {
        let status: serde_json::Value =
            serde_json::from_str(&self.says(&["status", "--json"])).expect("it prints JSON");
        status["drivers"][0].clone()
    }

    /// `loopgate ARGUMENTS`, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path());
        command.args(arguments);
        command
    }

    /// The host's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, for example `-TERM`.
    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("there is `kill`").success());
    }

    /// Whether it has ended by itself, or by a signal.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// Waits for its end: its exit status.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it is a child").code()
    }

    /// Waits until it serves clients; it was just begun.
    pub fn wait_until_ready(&mut self) {
        let mut out = BufReader::new(self.child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.starts_with("control socket: ") {
            line.clear();
            assert_ne!(
                out.read_line(&mut line).expect("it prints text"),
                0,
                "the program ended early"
            );
        }
        // Kept open, or what it prints later would fail.
        self.child.stdout = Some(out.into_inner());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    command(folder)
        .arg("run")
        .arg(folder.join("board.toml"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(File::create(folder.join(LOG)).expect("a file"))
        .spawn()
        .expect("the program runs")
}

/// The program that was built with this test, with its socket in `folder`.
pub fn command(folder: &Path) -> Command {
    let test = std::env::current_exe().expect("a test has a program");
    let program = test
        .ancestors()
        .nth(2)
        .expect("it lies in `deps`")
        .join("loopgate");
    assert!(
        program.exists(),
        "`{}` is missing; run `cargo xtask test`, which builds it",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .env("LOOPGATE_SOCKET", folder.join("socket"))
        .env("XDG_CACHE_HOME", super::cache())
        .env("XDG_STATE_HOME", super::cache());
    command
}
