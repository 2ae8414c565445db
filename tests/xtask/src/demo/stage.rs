//! The board that the demo runs, in a temporary folder, and the commands that
//! are typed there.

use std::fs::{self, File};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::remote;
use crate::workspace::Workspace;

const BOARD: &str = include_str!("board.toml");
/// Longer than any machine needs for what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the remote control sends, as commands to the device 0x40.
const KEYS: [u8; 3] = [1, 2, 3];
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Of the host's log, where it says why it ended.
const LAST_LINES: usize = 10;

pub(super) struct Stage {
    folder: TempDir,
    program: PathBuf,
    host: Option<Child>,
}

impl Stage {
    /// Fills a folder with everything that the board needs.
    pub(super) fn set(workspace: &Workspace, faster_blink: &[u8]) -> Result<Self> {
        let stage = Self {
            folder: tempfile::Builder::new()
                .prefix("loopgate-demo-")
                .tempdir()
                .context("cannot make a temporary folder")?,
            program: workspace.target.join("release/loopgate"),
            host: None,
        };
        stage
            .fill(workspace, faster_blink)
            .with_context(|| format!("cannot fill `{}`", stage.folder.path().display()))?;
        Ok(stage)
    }

    fn fill(&self, workspace: &Workspace, faster_blink: &[u8]) -> Result<()> {
        fs::create_dir(self.path("drivers"))?;
        fs::create_dir(self.path("faster"))?;
        let sample = |name| workspace.target.join("drivers").join(name);
        let guest = |name| workspace.target.join("guests").join(name);
        for component in [
            sample("blink.wasm"),
            sample("button_led.wasm"),
            sample("gps_nmea.wasm"),
            sample("ir_nec.wasm"),
            guest("hostile_trap.wasm"),
        ] {
            let name = component.file_name().unwrap_or_default();
            fs::copy(&component, self.path("drivers").join(name))?;
        }
        fs::write(self.path("faster/blink.wasm"), faster_blink)?;
        fs::write(self.path("remote.vcd"), remote::recording(0x40, &KEYS))?;
        fs::write(self.path("board.toml"), BOARD)?;
        Ok(())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the host, which then runs until the stage is left.
    pub(super) fn start(&mut self) -> Result<()> {
        say_command("loopgate run board.toml &");
        let log = File::create(self.path("log"))?;
        let mut run = self.command(&["run", "board.toml"]);
        let host = run.stdout(log.try_clone()?).stderr(log).spawn();
        self.host = Some(host.context("cannot run the program")?);
        self.until("the board to run", |stage| {
            Ok(stage.json(&["status", "--json"]).ok())
        })?;
        Ok(())
    }

    /// Types `loopgate ARGUMENTS`, which must succeed, and shows what it prints.
    pub(super) fn types(&self, arguments: &[&str]) -> Result<String> {
        say_command(&format!("loopgate {}", arguments.join(" ")));
        let text = self.quietly(arguments)?;
        print!("{text}");
        Ok(text)
    }

    /// Types a command that must fail, and shows its error.
    pub(super) fn types_in_vain(&self, arguments: &[&str]) -> Result<()> {
        let line = arguments.join(" ");
        say_command(&format!("loopgate {line}"));
        let output = self.output(arguments)?;
        if output.status.success() {
            bail!("`loopgate {line}` was to fail");
        }
        print!("{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    pub(super) fn quietly(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments)?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("`loopgate {}`: {}", arguments.join(" "), error.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.quietly(arguments)?;
        serde_json::from_str(&text)
            .with_context(|| format!("`loopgate {}` is not JSON", arguments.join(" ")))
    }

    /// What `loopgate status` says of each driver.
    pub(super) fn drivers(&self) -> Result<Vec<Value>> {
        let status = self.json(&["status", "--json"])?;
        let drivers = status["drivers"].as_array();
        Ok(drivers.context("the status has no drivers")?.clone())
    }

    /// Looks until there is something, for a while.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            let found = look(self);
            if let Ok(Some(found)) = found {
                return Ok(found);
            }
            // It knows better why nothing was found.
            self.check_host()?;
            found?;
            if begun.elapsed() > PATIENCE {
                let log = self.end_of_log();
                bail!("waited {PATIENCE:?} for {what}; the host's log ends:\n{log}");
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    fn check_host(&mut self) -> Result<()> {
        let host = self.host.as_mut().context("the host was not started")?;
        match host.try_wait().context("cannot look after the host")? {
            None => Ok(()),
            Some(status) => bail!("the host ended ({status}):\n{}", self.end_of_log()),
        }
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.path("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    fn output(&self, arguments: &[&str]) -> Result<Output> {
        let output = self.command(arguments).output();
        output.with_context(|| format!("cannot run `{}`", self.program.display()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env("LOOPGATE_SOCKET", self.path("socket"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env_remove("LOOPGATE_LOG");
        command
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(host) = &mut self.host {
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

/// A line as one types it.
pub(super) fn say_command(line: &str) {
    println!("{}", styled("2", &format!("$ {line}")));
}

/// A heading.
pub(super) fn say_title(line: &str) {
    println!("\n{}", styled("1", line));
}

/// With a terminal's colours, where it is one and does not decline them.
fn styled(style: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\u{1b}[{style}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}
