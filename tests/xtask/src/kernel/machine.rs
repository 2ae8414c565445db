//! An emulated machine, from its first instruction to its last.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::archive;
use super::build::Files;
use super::peer::{self, ADAPTER, Monitor};
use super::results::Results;
use crate::architecture::{self, Architecture};
use crate::process;
use crate::workspace::Workspace;

/// From boot to power-off: many times what it takes where nobody else works.
const LIMIT: Duration = Duration::from_mins(10);

/// Boots the kernel with the files, and gathers what the machine says.
pub(super) fn run(
    workspace: &Workspace,
    architecture: Architecture,
    kernel: &Path,
    files: &Files,
) -> Result<Results> {
    let folder = tempfile::tempdir().context("no folder for the machine's sockets")?;
    let initramfs = folder.path().join("initramfs");
    pack(&initramfs, files).context("cannot pack the machine's files")?;
    let listen = |name: &str| UnixListener::bind(folder.path().join(name));
    let (results, monitor, usb) = (listen("results")?, listen("monitor")?, listen("usb")?);
    peer::echo(usb);
    let console = format!("{}.console", architecture.name());
    let console = architecture::folder(workspace).join(console);
    let mut command = emulator(architecture, folder.path());
    command
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(&initramfs)
        .args(["-append", &command_line(architecture, files)])
        .stdin(Stdio::null())
        .stdout(File::create(&console)?)
        .stderr(Stdio::inherit());
    process::announce(&command);
    let machine = Machine(command.spawn().context("cannot start the emulator")?);
    let began = Instant::now();
    let mut gathered = gather(machine, began, &results, &monitor)?;
    gathered.console = Some(workspace.relative(&console).to_string());
    Ok(gathered)
}

/// Ended on drop.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gather(
    mut machine: Machine,
    began: Instant,
    results: &UnixListener,
    monitor: &UnixListener,
) -> Result<Results> {
    let mut gathered = Results::default();
    // It connects as it starts, or ends.
    results.set_nonblocking(true)?;
    let stream = loop {
        match results.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = machine.0.try_wait()? {
            gathered.end = Some(format!("the emulator ended at once, {status}"));
            return Ok(gathered);
        }
        thread::yield_now();
    };
    stream.set_nonblocking(false)?;
    let mut monitor = Monitor::accept(monitor)?;
    let lines = lines(stream);
    loop {
        let left = LIMIT.saturating_sub(began.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => match serde_json::from_str::<Value>(&line) {
                Ok(said) => {
                    if let Some(there) = said["plug"].as_bool() {
                        monitor.plug(there)?;
                    } else if said["break"] == true {
                        monitor.send_break()?;
                    } else {
                        gathered.add(said);
                    }
                }
                Err(_) => gathered.end = Some(format!("it said `{line}`")),
            },
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                gathered.end = Some(format!("it did not end within {LIMIT:?}"));
                break;
            }
        }
    }
    gathered.took = began.elapsed();
    Ok(gathered)
}

fn lines(stream: UnixStream) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn pack(path: &Path, files: &Files) -> io::Result<()> {
    let mut into = BufWriter::new(File::create(path)?);
    for (name, from) in &files.0 {
        archive::add(&mut into, name, &std::fs::read(from)?)?;
    }
    archive::end(&mut into)?;
    into.flush()
}

/// One processor: an edge is then seen by the kernel before the next is made.
fn emulator(architecture: Architecture, sockets: &Path) -> Command {
    let mut command = Command::new(architecture.emulator());
    command.args(["-nodefaults", "-display", "none", "-no-reboot"]);
    command.args(["-accel", "tcg", "-smp", "1", "-m", "512"]);
    command.args(["-serial", "stdio"]);
    command.args(["-chardev", "null,id=uart"]);
    match architecture {
        Architecture::X86 => command.args(["-serial", "chardev:uart"]),
        Architecture::Arm => command
            .args(["-machine", "virt", "-cpu", "cortex-a72"])
            .args(["-device", "pci-serial,chardev=uart"]),
    };
    for name in ["results", "monitor", "usb"] {
        let path = sockets.join(name);
        command.arg("-chardev");
        command.arg(format!("socket,id={name},path={}", path.display()));
    }
    command
        .args(["-mon", "chardev=monitor,mode=control"])
        .args(["-device", "virtio-serial-pci"])
        .args(["-device", "virtserialport,chardev=results,name=results"])
        .args(["-device", "qemu-xhci,id=xhci"])
        .args(["-device", ADAPTER]);
    command
}

fn command_line(architecture: Architecture, files: &Files) -> String {
    let (console, uart) = match architecture {
        Architecture::X86 => ("ttyS0", "ttyS1"),
        Architecture::Arm => ("ttyAMA0", "ttyS0"),
    };
    let program = match files.archive() {
        Some(archive) => format!("program=/{archive}"),
        None => String::new(),
    };
    format!(
        "console={console} panic=-1 quiet rdinit=/init -- sim pty gpio-sim \
         uart=/dev/{uart} usb=/dev/ttyUSB0 {program}"
    )
}
