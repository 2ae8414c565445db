//! Running cargo and its like, visibly.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// The cargo that runs us (`CARGO`), working in `folder`.
///
/// Not `cargo` from `PATH`, which may be of another toolchain.
pub(crate) fn cargo(folder: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Says what runs, then runs it with our own output streams.
pub(crate) fn passes(command: &mut Command) -> Result<bool> {
    announce(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", line_of(command)))?;
    Ok(status.success())
}

/// As `passes`, but every line of the standard output goes to `each` alone.
pub(crate) fn passes_with_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    announce(command);
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", line_of(command)))?;
    let pipe = child.stdout.take().context("the pipe was just asked for")?;
    for line in BufReader::new(pipe).split(b'\n') {
        // A test may print what is not UTF-8.
        let line = line.context("cannot read the command's output")?;
        each(&String::from_utf8_lossy(&line));
    }
    Ok(child
        .wait()
        .context("cannot wait for the command")?
        .success())
}

/// Runs `command` without a word and gives its standard output, or nothing
/// where it fails or is missing.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Prints the command as one could type it.
pub(crate) fn announce(command: &Command) {
    eprintln!("\n$ {}", line_of(command));
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<_> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}
