//! The program itself, running a board of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
        let file = folder.path().join("board.toml");
        std::fs::write(&file, board).expect("a board file");
        let child = command(folder.path())
            .arg("run")
            .arg(&file)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let mut program = Self { child, folder };
        program.wait_until_ready();
        program
    }

    /// A path in the board's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
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

    fn wait_until_ready(&mut self) {
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
