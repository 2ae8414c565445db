//! Serial ports of the kernel, over real pseudo-terminals.

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::Random;
use common::serial::{Watched, until};
use loopgate_devices::linux::KernelDevices;
use loopgate_devices::serial::{
    Device, Error, FlowControl, PortRequest, SerialController, SerialPort,
};
use loopgate_workloop::{InterruptLine, InterruptSink, Occurrence, SystemClock};
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::pty::OpenptFlags;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, tcgetattr, tcsetattr,
};

struct Place {
    folder: tempfile::TempDir,
    ports: KernelDevices,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            ports: KernelDevices::new(Arc::new(SystemClock)),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pty(&self, name: &str, buffer: usize) -> Watched {
        let link = self.path(name);
        self.open(&PortRequest {
            buffer,
            ..PortRequest::new(Device::Pty { link }, 9_600, "test")
        })
    }

    fn open(&self, request: &PortRequest) -> Watched {
        Watched::new(self.ports.open(request).unwrap())
    }

    fn refused(&self, request: &PortRequest) -> Error {
        self.ports.open(request).err().expect("it was opened")
    }

    /// Takes the device away from under `name`. The name goes first: another
    /// test's terminal may get the number at once.
    fn unplug(&self, name: &str, device: File) {
        fs::remove_file(self.path(name)).unwrap();
        drop(device);
    }

    /// A tty at `name`, and what stands for its device.
    fn tty(&self, name: &str) -> File {
        let device = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&device).unwrap();
        let pts = rustix::pty::ptsname(&device, Vec::new()).unwrap();
        symlink(pts.to_str().unwrap(), self.path(name)).unwrap();
        File::from(device)
    }
}

fn path_request(path: impl Into<PathBuf>) -> PortRequest {
    PortRequest::new(Device::Path(path.into()), 9_600, "test")
}

/// The other end, as another program opens it.
fn peer(path: &Path) -> File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::empty()).unwrap())
}

fn expect(mut peer: &File, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    peer.read_exact(&mut read).unwrap();
    assert!(read == bytes, "other bytes than were sent");
}

/// Writes until nothing is taken any more; how much was.
fn fill(mut peer: &File, pattern: &mut Random) -> Vec<u8> {
    rustix::io::ioctl_fionbio(peer, true).unwrap();
    let mut sent = Vec::new();
    loop {
        let bytes = pattern.bytes(1_000);
        match peer.write(&bytes) {
            Ok(count) => sent.extend(&bytes[..count]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                return sent;
            }
        }
    }
}

/// What a lossless driver does, by the lines alone.
fn echo(port: &Watched, total: usize, seed: u64) {
    let mut random = Random(seed);
    let mut held = Vec::new();
    let mut echoed = 0;
    while echoed < total {
        port.readable.wait();
        port.port
            .read(1 + random.below(5_000) as usize, &mut held)
            .unwrap();
        echoed += held.len();
        port.write_all(&held);
        held.clear();
    }
}

/// Sends `bytes` in random pieces.
fn send(mut peer: File, bytes: Vec<u8>, seed: u64) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut random = Random(seed);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, next) = rest.split_at(rest.len().min(random.below(9_000) as usize));
            peer.write_all(piece).unwrap();
            rest = next;
        }
    })
}

#[test]
fn a_mebibyte_is_echoed_over_a_pseudo_terminal() {
    for buffer in [64 << 10, 777] {
        let place = Place::new();
        let port = place.pty("echo", buffer);
        let bytes = Random(7).bytes(1 << 20);
        let peer = peer(&place.path("echo"));
        let sender = send(peer.try_clone().unwrap(), bytes.clone(), 8);
        let total = bytes.len();
        let echoing = thread::spawn(move || {
            echo(&port, total, 9);
            port
        });
        expect(&peer, &bytes);
        sender.join().unwrap();
        let counts = echoing.join().unwrap().port.counts();
        assert_eq!((counts.input, counts.lost), (1 << 20, 0));
        assert_eq!(counts.output, 1 << 20);
    }
}

#[test]
fn a_mebibyte_is_echoed_over_a_tty() {
    let place = Place::new();
    let device = place.tty("tty");
    let port = place.open(&path_request(place.path("tty")));
    let bytes = Random(3).bytes(1 << 20);
    let sender = send(device.try_clone().unwrap(), bytes.clone(), 4);
    let total = bytes.len();
    let echoing = thread::spawn(move || {
        echo(&port, total, 5);
        port
    });
    expect(&device, &bytes);
    sender.join().unwrap();
    drop(echoing.join().unwrap());
}

#[test]
fn a_tty_and_a_pseudo_terminal_of_one_host_reach_each_other() {
    let place = Place::new();
    let ours = place.pty("pair", 100);
    let theirs = place.open(&path_request(place.path("pair")));
    ours.write_all(b"there");
    assert_eq!(theirs.read_exactly(5), b"there");
    theirs.write_all(b"and back");
    assert_eq!(ours.read_exactly(8), b"and back");
}

#[test]
fn peers_come_and_go() {
    let place = Place::new();
    let port = place.pty("p", 1_000);
    for round in 0..20_u8 {
        let mut peer = peer(&place.path("p"));
        peer.write_all(&[round; 10]).unwrap();
        drop(peer);
        assert_eq!(port.read_exactly(10), [round; 10]);
        // Nobody is there, and the next one gets it.
        port.write_all(&[round; 5]);
        expect(&self::peer(&place.path("p")), &[round; 5]);
    }
    assert_eq!(port.port.counts().lost, 0);
    assert!(port.readable.count() <= 20 * 10);
}

#[test]
fn a_peer_that_never_reads_is_not_waited_for() {
    let place = Place::new();
    let port = place.pty("p", 1_000);
    let sent = Random(1).bytes(1 << 20);
    let mut taken = 0;
    // The kernel's own buffer fills first: each write may find it emptied.
    loop {
        let count = port.port.write(&sent[taken..]).unwrap();
        taken += count;
        if count == 0 {
            break;
        }
    }
    assert!(taken < 256 << 10, "{taken} bytes are somewhere");
    let peer = peer(&place.path("p"));
    let mut read = vec![0; taken];
    (&peer).read_exact(&mut read).unwrap();
    assert!(read == sent[..taken]);
    port.writable.wait();
    port.write_all(b"rest");
    expect(&peer, b"rest");
}

#[test]
fn a_holder_that_does_not_read_slows_its_peer_and_loses_nothing() {
    let place = Place::new();
    let port = place.pty("p", 1_000);
    let peer = peer(&place.path("p"));
    let mut sent = fill(&peer, &mut Random(2));
    until("a full buffer", || port.port.counts().input == 1_000);
    sent.extend(fill(&peer, &mut Random(3)));
    assert!(sent.len() < 256 << 10, "{} bytes are somewhere", sent.len());
    // The bytes are seen before the sink is called.
    until("the occurrence", || port.readable.count() > 0);
    assert_eq!(port.readable.count(), 1);
    assert!(port.read_exactly(sent.len()) == sent);
    assert_eq!(port.port.counts().lost, 0);
}

#[test]
fn many_small_arrivals_are_one_occurrence() {
    let place = Place::new();
    let port = place.pty("p", 1_000);
    let mut peer = peer(&place.path("p"));
    for n in 1..=100 {
        peer.write_all(b"x").unwrap();
        until("the byte", || port.port.counts().input == n);
    }
    assert_eq!(port.readable.count(), 1);
    port.port.read(99, &mut Vec::new()).unwrap();
    assert_eq!(port.readable.count(), 2);
    assert_eq!(port.drain(), b"x");
}

#[test]
fn a_tty_that_vanishes_is_read_to_the_end_and_comes_back() {
    let place = Place::new();
    let mut device = place.tty("tty");
    let port = place.open(&path_request(place.path("tty")));
    for round in 1..=3 {
        device.write_all(b"last words").unwrap();
        until("the words", || port.port.counts().input == round * 10);
        place.unplug("tty", device);
        assert_eq!(port.read_exactly(10), b"last words");
        port.readable.wait();
        let gone = port.port.read(1, &mut Vec::new()).unwrap_err();
        assert!(matches!(gone, Error::Gone { .. }), "{gone}");
        assert!(port.port.write(b"x").is_err());
        // Still held, though nothing is there.
        let busy = place.refused(&path_request(place.path("tty")));
        assert!(matches!(busy, Error::Busy { .. }), "{busy}");

        device = place.tty("tty");
        port.readable.wait();
        assert_eq!(port.drain(), b"");
        port.write_all(b"hello");
        expect(&device, b"hello");
    }
}

#[test]
fn a_tty_that_vanishes_with_a_full_buffer_is_gone_too() {
    let place = Place::new();
    let device = place.tty("tty");
    let request = PortRequest {
        buffer: 10,
        ..path_request(place.path("tty"))
    };
    let port = place.open(&request);
    let sent = fill(&device, &mut Random(4));
    until("a full buffer", || port.port.counts().input == 10);
    place.unplug("tty", device);
    until("that it is gone", || port.port.write(b"").is_err());
    assert_eq!(port.read_exactly(10), sent[..10]);
    port.readable.wait();
    assert!(port.port.read(1, &mut Vec::new()).is_err());
}

#[test]
fn a_tty_that_is_back_and_refused_is_told_once_and_tried_again() {
    let place = Place::new();
    let device = place.tty("tty");
    let port = place.open(&path_request(place.path("tty")));
    place.unplug("tty", device);
    let gone = || port.port.read(1, &mut Vec::new()).unwrap_err().to_string();
    port.readable.wait();
    assert!(gone().ends_with("is gone; it is tried again until it is back"));

    // Locked before it has the name, so that it cannot be had.
    let device = place.tty("new");
    let program = peer(&place.path("new"));
    flock(&program, FlockOperation::LockExclusive).unwrap();
    fs::rename(place.path("new"), place.path("tty")).unwrap();
    port.readable.wait();
    let error = gone();
    assert!(error.contains("refused: "), "{error}");
    assert!(error.contains("held by another program"), "{error}");
    let told = port.readable.count();
    flock(&program, FlockOperation::Unlock).unwrap();
    port.readable.wait();
    assert_eq!(port.drain(), b"");
    assert_eq!(port.readable.count(), told + 1);
    port.write_all(b"hello");
    expect(&device, b"hello");
}

#[test]
fn what_came_before_a_tty_was_opened_is_not_its_holders() {
    let place = Place::new();
    let device = place.tty("tty");
    let program = peer(&place.path("tty"));
    let mut modes = tcgetattr(&program).unwrap();
    modes.make_raw();
    tcsetattr(&program, OptionalActions::Now, &modes).unwrap();
    (&device).write_all(b"\xff\x00\x00early").unwrap();
    until("that it is there", || {
        rustix::io::ioctl_fionread(&program).unwrap() == 8
    });
    let port = place.open(&path_request(place.path("tty")));
    (&device).write_all(b"late").unwrap();
    assert_eq!(port.read_exactly(4), b"late");
    let counts = port.port.counts();
    assert_eq!((counts.input, counts.breaks), (4, 0));
}

#[test]
fn what_is_no_serial_port_is_named() {
    let place = Place::new();
    let file = place.path("file");
    fs::write(&file, "text").unwrap();
    for (path, found) in [
        (Path::new("/dev/null"), "another device"),
        (&file, "a file"),
        (place.folder.path(), "a folder"),
    ] {
        let error = place.refused(&path_request(path)).to_string();
        let expected = format!("`{}` is not a serial port but {found}; ", path.display());
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"text");
    let missing = place.refused(&path_request("/dev/ttyNONE")).to_string();
    assert_eq!(
        missing,
        "there is no serial port `/dev/ttyNONE`: No such file or directory (os error 2); plug it \
         in, or name one that `ls /dev/serial/by-id /dev/tty*` shows"
    );
    let sim = PortRequest::new(Device::Sim("x".to_owned()), 9_600, "test");
    assert!(matches!(place.refused(&sim), Error::NoDevice { .. }));
}

#[test]
fn a_tty_has_one_holder_by_any_name() {
    let place = Place::new();
    let _device = place.tty("tty");
    symlink(place.path("tty"), place.path("alias")).unwrap();
    let held = place.open(&path_request(place.path("tty")));
    for name in ["tty", "alias"] {
        let error = place.refused(&path_request(place.path(name))).to_string();
        let expected = "is held by `test`; stop that, or use another port";
        assert!(error.ends_with(expected), "{error}");
    }
    // As another process would find it.
    let other = KernelDevices::new(Arc::new(SystemClock));
    let error = other.open(&path_request(place.path("tty"))).err().unwrap();
    assert!(
        matches!(error, Error::Busy { consumer: None, .. }),
        "{error}"
    );
    drop(held);
    drop(other.open(&path_request(place.path("tty"))).unwrap());

    let program = peer(&place.path("tty"));
    flock(&program, FlockOperation::LockExclusive).unwrap();
    let error = place.refused(&path_request(place.path("tty")));
    assert!(
        error.to_string().contains("held by another program"),
        "{error}"
    );
}

#[test]
fn a_tty_is_raw_at_its_speed_even_an_odd_one() {
    let place = Place::new();
    let _device = place.tty("tty");
    let program: OwnedFd = peer(&place.path("tty")).into();
    for baud in [300, 9_600, 250_000, 31_250] {
        let _port = place.open(&PortRequest {
            baud,
            ..path_request(place.path("tty"))
        });
        let modes = tcgetattr(&program).unwrap();
        assert_eq!((modes.input_speed(), modes.output_speed()), (baud, baud));
        assert!(
            !modes
                .local_modes
                .intersects(LocalModes::ECHO | LocalModes::ICANON)
        );
    }
}

#[test]
fn a_released_tty_marks_no_errors_for_others() {
    let place = Place::new();
    let device = place.tty("tty");
    let program = peer(&place.path("tty"));
    let marked = || {
        let modes = tcgetattr(&program).unwrap().input_modes;
        modes.intersects(InputModes::PARMRK | InputModes::INPCK)
    };
    let port = place.open(&path_request(place.path("tty")));
    assert!(marked());
    (&device).write_all(b"\xff\x00\x00").unwrap();
    assert_eq!(port.read_exactly(3), b"\xff\x00\x00");
    drop(port);
    assert!(!marked());
}

#[test]
fn flow_control_is_the_ttys() {
    let place = Place::new();
    let _device = place.tty("tty");
    let program = peer(&place.path("tty"));
    let set = || {
        let modes = tcgetattr(&program).unwrap();
        let xon_xoff = InputModes::IXON | InputModes::IXOFF;
        let by_bytes = modes.input_modes.contains(xon_xoff);
        (
            modes.control_modes.contains(ControlModes::CRTSCTS),
            by_bytes,
        )
    };
    for (flow, expected) in [
        (FlowControl::RtsCts, (true, false)),
        (FlowControl::XonXoff, (false, true)),
        (FlowControl::None, (false, false)),
    ] {
        let _port = place.open(&PortRequest {
            flow,
            ..path_request(place.path("tty"))
        });
        assert_eq!(set(), expected, "{flow}");
    }
    let link = place.path("pty");
    let own = PortRequest {
        flow: FlowControl::RtsCts,
        ..PortRequest::new(Device::Pty { link }, 9_600, "test")
    };
    let error = place.refused(&own).to_string();
    assert!(error.contains("has no flow control rts-cts;"), "{error}");
}

#[test]
fn a_refused_speed_leaves_the_tty_as_it_was() {
    let place = Place::new();
    let _device = place.tty("tty");
    let program: OwnedFd = peer(&place.path("tty")).into();
    let mut before = tcgetattr(&program).unwrap();
    before.set_speed(19_200).unwrap();
    tcsetattr(&program, OptionalActions::Now, &before).unwrap();
    let request = PortRequest {
        baud: 0,
        ..path_request(place.path("tty"))
    };
    let error = place.refused(&request);
    let speeds = (0, 19_200);
    assert!(
        matches!(error, Error::BaudRefused { asked, got, .. } if (asked, got) == speeds),
        "{error}"
    );
    let after = tcgetattr(&program).unwrap();
    assert_eq!(after.output_speed(), 19_200);
    assert_eq!(after.local_modes, before.local_modes);
}

#[test]
fn the_link_is_made_replaced_and_removed() {
    let place = Place::new();
    let link = place.path("some/new/folder/gps");
    let request = PortRequest::new(Device::Pty { link: link.clone() }, 9_600, "test");
    let port = place.open(&request);
    assert!(fs::read_link(&link).unwrap().starts_with("/dev/pts"));
    let error = place.refused(&request);
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    drop(port);
    assert!(fs::symlink_metadata(&link).is_err());

    symlink("/nowhere", &link).unwrap();
    let port = place.open(&request);
    assert!(fs::read_link(&link).unwrap().starts_with("/dev/pts"));
    // Another's by now.
    fs::remove_file(&link).unwrap();
    symlink("/nowhere", &link).unwrap();
    drop(port);
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("/nowhere"));

    fs::remove_file(&link).unwrap();
    fs::write(&link, "precious").unwrap();
    let error = place.refused(&request);
    assert!(matches!(error, Error::LinkTaken { .. }), "{error}");
    assert_eq!(fs::read(&link).unwrap(), b"precious");
    assert_eq!(fs::read_dir(link.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn ports_outlive_their_controller_and_end_with_their_thread() {
    let place = Place::new();
    let clock = Arc::new(SystemClock);
    let ports = KernelDevices::new(clock.clone());
    let link = place.path("p");
    let port: Arc<dyn SerialPort> = ports
        .open(&PortRequest::new(
            Device::Pty { link: link.clone() },
            9_600,
            "test",
        ))
        .unwrap();
    drop(ports);
    let port = Watched::new(port);
    peer(&link).write_all(b"x").unwrap();
    assert_eq!(port.read_exactly(1), b"x");
    drop(port);
    assert_eq!(Arc::strong_count(&clock), 1, "the thread has ended");
}

type Held = (Arc<dyn SerialPort>, Arc<dyn InterruptLine>);

/// Drops everything that it is of when it is called.
#[derive(Default)]
struct LastCall {
    held: Mutex<Option<Held>>,
    done: AtomicBool,
}

impl InterruptSink for LastCall {
    fn interrupt_occurred(&self, _: Occurrence) {
        let held = self.held.lock().take();
        drop(held);
        self.done.store(true, Ordering::Release);
    }

    fn occurrences_lost(&self, _: u32) {}
}

#[test]
fn a_sink_may_drop_its_port_and_with_it_the_thread() {
    let place = Place::new();
    let clock = Arc::new(SystemClock);
    let path = place.path("p");
    let request = PortRequest::new(Device::Pty { link: path.clone() }, 9_600, "test");
    let port = KernelDevices::new(clock.clone()).open(&request);
    let port = port.unwrap();
    let line = port.readable().unwrap();
    let sink = Arc::new(LastCall::default());
    line.register(sink.clone()).unwrap();
    line.enable();
    *sink.held.lock() = Some((port, line));
    peer(&path).write_all(b"x").unwrap();
    until("the sink", || sink.done.load(Ordering::Acquire));
    until("the thread's end", || Arc::strong_count(&clock) == 1);
    assert!(fs::symlink_metadata(&path).is_err());
}
