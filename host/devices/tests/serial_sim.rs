//! Simulated serial ports, and the rules that hold for every port.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::Random;
use common::serial::{Watch, Watched, until};
use loopgate_devices::serial::{
    Counts, Device, Error, LineErrors, ModemLines, PortRequest, SerialController, SerialPort,
};
use loopgate_devices::sim::{SimPortConfig, SimPorts};
use loopgate_workloop::{InterruptSink, Occurrence, VirtualClock};

fn ports() -> Arc<SimPorts> {
    let slow = SimPortConfig {
        bauds: vec![4_800, 9_600],
        ..SimPortConfig::new("slow")
    };
    let clock = Arc::new(VirtualClock::new());
    SimPorts::new(clock, vec![SimPortConfig::new("any"), slow])
}

fn request(name: &str, buffer: usize) -> PortRequest {
    PortRequest {
        buffer,
        ..PortRequest::new(Device::Sim(name.to_owned()), 9_600, "test")
    }
}

fn open(ports: &SimPorts, buffer: usize) -> Arc<dyn SerialPort> {
    ports.open(&request("any", buffer)).unwrap()
}

#[test]
fn what_finds_no_room_is_counted_as_lost() {
    let ports = ports();
    let port = Watched::new(open(&ports, 10));
    ports.feed("any", b"0123456").unwrap();
    ports.feed("any", b"789abc").unwrap();
    let counts = Counts {
        input: 10,
        lost: 3,
        ..Counts::default()
    };
    assert_eq!(port.port.counts(), counts);
    assert_eq!(port.drain(), b"0123456789");
    assert_eq!(port.port.write(b"0123456789abc").unwrap(), 10);
    assert_eq!(port.port.write(b"x").unwrap(), 0);
    assert_eq!(ports.take("any").unwrap(), b"0123456789");
    let counts = Counts {
        output: 10,
        ..counts
    };
    assert_eq!(port.port.counts(), counts);
    assert_eq!(ports.show()[0].counts, counts);
}

#[test]
fn readable_occurs_once_until_a_read_and_again_for_what_that_left() {
    let ports = ports();
    let port = Watched::new(open(&ports, 100));
    for _ in 0..50 {
        ports.feed("any", b"x").unwrap();
    }
    assert_eq!(port.readable.count(), 1);
    let mut bytes = Vec::new();
    port.port.read(20, &mut bytes).unwrap();
    assert_eq!(port.readable.count(), 2);
    ports.feed("any", b"x").unwrap();
    assert_eq!(port.readable.count(), 2);
    assert_eq!(port.drain().len(), 31);
    assert_eq!(port.drain().len(), 0);
    assert_eq!(port.readable.count(), 2);
    ports.feed("any", b"").unwrap();
    assert_eq!(port.readable.count(), 2);
    ports.feed("any", b"x").unwrap();
    assert_eq!(port.readable.count(), 3);
    assert_eq!(port.writable.count(), 0);
}

#[test]
fn writable_occurs_once_after_a_short_write_when_half_is_free() {
    let ports = ports();
    let port = Watched::new(open(&ports, 10));
    assert_eq!(port.port.write(b"0123456789").unwrap(), 10);
    ports.take("any").unwrap();
    assert_eq!(port.writable.count(), 0, "the write was whole");
    assert_eq!(port.port.write(b"0123456789a").unwrap(), 10);
    assert_eq!(port.writable.count(), 0);
    ports.take("any").unwrap();
    ports.take("any").unwrap();
    assert_eq!(port.writable.count(), 1);
    assert_eq!(port.port.write(b"a").unwrap(), 1);
    ports.take("any").unwrap();
    assert_eq!(port.writable.count(), 1);
}

#[test]
fn what_came_while_the_line_was_off_occurs_when_it_is_on() {
    let ports = ports();
    let port = open(&ports, 100);
    let line = port.readable().unwrap();
    ports.feed("any", b"x").unwrap();
    let watch = Watch::on(&line);
    assert_eq!(watch.count(), 1);
    line.disable();
    ports.feed("any", b"x").unwrap();
    assert_eq!(watch.count(), 1);
    line.enable();
    line.enable();
    assert_eq!(watch.count(), 2);
    // A successor hears of what its predecessor left, counted anew.
    drop(line);
    let line = port.readable().unwrap();
    assert_eq!(Watch::on(&line).count(), 1);
    line.unregister();
    ports.feed("any", b"x").unwrap();
}

#[test]
fn each_line_is_there_once_at_a_time() {
    let ports = ports();
    let port = open(&ports, 1);
    let line = port.readable().unwrap();
    let _writable = port.writable().unwrap();
    for error in [port.readable().err(), port.writable().err()] {
        let error = error.unwrap();
        assert!(matches!(error, Error::HasInterrupt { .. }), "{error}");
    }
    drop(line);
    assert!(port.readable().is_ok());
}

#[test]
fn a_port_that_vanishes_is_read_to_the_end_and_comes_back() {
    let ports = ports();
    let port = Watched::new(open(&ports, 100));
    ports.feed("any", b"last words").unwrap();
    port.port.write(b"unheard").unwrap();
    ports.unplug("any").unwrap();
    ports.unplug("any").unwrap();
    ports.feed("any", b"nobody says this").unwrap();
    assert_eq!(port.read_exactly(10), b"last words");
    port.readable.wait();
    let gone = port.port.read(1, &mut Vec::new()).unwrap_err();
    assert!(matches!(gone, Error::Gone { .. }), "{gone}");
    assert!(port.port.read(1, &mut Vec::new()).is_err());
    assert!(port.port.write(b"x").is_err());
    assert_eq!(port.port.counts().lost, 7);
    let told = port.readable.count();
    ports.plug("any").unwrap();
    assert_eq!(port.readable.count(), told + 1);
    assert_eq!(port.drain(), b"");
    ports.feed("any", b"again").unwrap();
    assert_eq!(port.read_exactly(5), b"again");
    assert_eq!(port.readable.count(), told + 2);
}

#[test]
fn a_writer_hears_of_a_port_that_vanishes() {
    let ports = ports();
    let port = Watched::new(open(&ports, 4));
    assert_eq!(port.port.write(b"12345").unwrap(), 4);
    ports.unplug("any").unwrap();
    port.writable.wait();
    assert!(port.port.write(b"5").is_err());
}

#[test]
fn a_read_ends_at_what_was_no_sound_byte_and_then_it_is_told() {
    let ports = ports();
    let port = Watched::new(open(&ports, 100));
    ports.feed("any", b"one").unwrap();
    ports.send_break("any").unwrap();
    ports.send_break("any").unwrap();
    ports.feed_damaged("any", b"tw").unwrap();
    ports.feed("any", b"o").unwrap();
    assert_eq!(port.readable.count(), 1);
    let mut seen = Vec::new();
    // What is left makes `readable` occur again.
    for _ in 0..4 {
        port.readable.wait();
        let bytes = String::from_utf8(port.drain()).unwrap();
        let errors = port.port.take_line_errors();
        seen.push((bytes, errors.breaks, errors.damaged));
    }
    let expected = [("one", 2, 0), ("t", 0, 1), ("w", 0, 1), ("o", 0, 0)];
    let expected = expected.map(|(bytes, breaks, damaged)| (bytes.to_owned(), breaks, damaged));
    assert_eq!(seen, expected);
    assert_eq!(port.readable.count(), 4);
    let counts = port.port.counts();
    assert_eq!((counts.input, counts.breaks, counts.damaged), (6, 2, 2));
}

#[test]
fn a_break_that_comes_first_is_told_before_the_bytes_that_follow_it() {
    let ports = ports();
    let port = Watched::new(open(&ports, 100));
    ports.feed("any", b"x").unwrap();
    assert_eq!(port.drain(), b"x");
    let told = port.readable.count();
    ports.send_break("any").unwrap();
    ports.feed("any", b"abc").unwrap();
    assert_eq!(port.readable.count(), told + 1);
    assert_eq!(port.drain(), b"");
    assert_eq!(port.port.take_line_errors().breaks, 1);
    assert_eq!(port.readable.count(), told + 2);
    assert_eq!(port.drain(), b"abc");
    assert_eq!(port.port.take_line_errors(), LineErrors::default());
    assert_eq!(port.readable.count(), told + 2);
}

#[test]
fn a_damaged_byte_that_finds_no_room_is_lost_and_damages_no_other() {
    let ports = ports();
    let port = Watched::new(open(&ports, 2));
    ports.feed("any", b"ab").unwrap();
    ports.feed_damaged("any", b"c").unwrap();
    assert_eq!(port.drain(), b"ab");
    let lost = LineErrors {
        lost: 1,
        ..LineErrors::default()
    };
    assert_eq!(port.port.take_line_errors(), lost);
    let counts = port.port.counts();
    assert_eq!((counts.lost, counts.damaged), (1, 0));
}

#[test]
fn who_does_not_ask_for_line_errors_reads_all_bytes_the_same() {
    let ports = ports();
    let port = Watched::new(open(&ports, 8));
    ports.send_break("any").unwrap();
    port.readable.wait();
    assert_eq!(port.drain(), b"");
    ports.feed("any", b"01234567lost").unwrap();
    assert_eq!(port.read_exactly(8), b"01234567");
    ports.feed("any", b"8").unwrap();
    assert_eq!(port.read_exactly(1), b"8");
    let errors = port.port.take_line_errors();
    assert_eq!((errors.breaks, errors.damaged, errors.lost), (1, 0, 4));
}

#[test]
fn line_errors_beyond_what_is_remembered_are_counted_all_the_same() {
    let ports = ports();
    let port = Watched::new(open(&ports, 1_000));
    for _ in 0..500 {
        ports.feed_damaged("any", b"x").unwrap();
    }
    let (mut reads, mut bytes, mut damaged) = (0, 0, 0);
    while bytes < 500 {
        bytes += port.drain().len();
        damaged += port.port.take_line_errors().damaged;
        reads += 1;
    }
    assert_eq!((reads, damaged), (64, 500));
}

#[test]
fn what_came_before_the_device_went_is_told_before_that() {
    let ports = ports();
    let port = Watched::new(open(&ports, 10));
    ports.send_break("any").unwrap();
    ports.unplug("any").unwrap();
    ports.send_break("any").unwrap();
    assert_eq!(port.drain(), b"");
    assert_eq!(port.port.take_line_errors().breaks, 1);
    assert!(port.port.read(1, &mut Vec::new()).is_err());
}

#[test]
fn modem_lines_are_those_of_the_device_and_of_the_holder() {
    let ports = ports();
    let lines = || {
        let port = &ports.show()[0];
        (port.dtr, port.rts, port.breaks_sent)
    };
    assert_eq!(lines(), (false, false, 0));
    let port = open(&ports, 10);
    assert_eq!(lines(), (true, true, 0));
    port.set_dtr(false).unwrap();
    port.send_break(Duration::from_millis(1)).unwrap();
    assert_eq!(lines(), (false, true, 1));
    let ringing = ModemLines {
        ri: true,
        ..ModemLines::default()
    };
    ports.set_modem_lines("any", ringing).unwrap();
    assert_eq!(port.modem_lines().unwrap(), ringing);
    ports.unplug("any").unwrap();
    assert_eq!(lines(), (false, false, 1));
    for result in [
        port.modem_lines().map(drop),
        port.set_rts(true),
        port.send_break(Duration::ZERO),
    ] {
        assert!(matches!(result, Err(Error::Gone { .. })));
    }
    ports.plug("any").unwrap();
    assert_eq!(lines(), (true, true, 1));
}

#[test]
fn what_is_refused_says_why() {
    let ports = ports();
    let refused = |request: &PortRequest| ports.open(request).err().unwrap().to_string();
    assert_eq!(
        refused(&request("none", 1)),
        "there is no serial port `none`: the simulated board has no such port; name one that it has"
    );
    let fast = PortRequest {
        baud: 115_200,
        ..request("slow", 1)
    };
    assert_eq!(
        refused(&fast),
        "serial port `slow` does not run at 115200 baud: it stays at 4800; \
         name a speed that the hardware has"
    );
    let held = open(&ports, 1);
    assert_eq!(
        refused(&request("any", 1)),
        "serial port `any` is held by `test`; stop that, or use another port"
    );
    drop(held);
    ports.unplug("any").unwrap();
    assert!(refused(&request("any", 1)).contains("unplugged"));
}

#[test]
fn a_released_port_is_silent_and_free() {
    let ports = ports();
    let port = Watched::new(open(&ports, 10));
    ports.feed("any", b"x").unwrap();
    drop(port.port);
    port.lines[0].disable();
    port.lines[0].enable();
    assert_eq!(port.readable.count(), 1);
    let next = Watched::new(open(&ports, 10));
    assert_eq!((next.readable.count(), next.drain().len()), (0, 0));
}

#[test]
fn absurd_sizes_are_brought_within_bounds() {
    let ports = ports();
    assert_eq!(open(&ports, 0).write(b"ab").unwrap(), 1);
    assert_eq!(open(&ports, usize::MAX).write(b"ab").unwrap(), 2);
}

/// A reader that reads only after an occurrence gets everything, and there is
/// at most one occurrence for each read, however the threads meet.
#[test]
fn no_occurrence_is_lost_between_threads() {
    for seed in 0..20 {
        let ports = ports();
        let sent = Random(seed).bytes(20_000);
        let port = Watched::new(open(&ports, sent.len()));
        let feeder = thread::spawn({
            let (ports, sent) = (Arc::clone(&ports), sent.clone());
            move || {
                let mut random = Random(seed + 1_000);
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    let (piece, next) = rest.split_at(rest.len().min(random.below(20) as usize));
                    ports.feed("any", piece).unwrap();
                    rest = next;
                }
            }
        });
        let mut random = Random(seed + 2_000);
        let (mut received, mut reads) = (Vec::new(), 0);
        while received.len() < sent.len() {
            port.readable.wait();
            if random.below(10) == 0 {
                port.lines[0].disable();
                port.lines[0].enable();
                reads += 1;
            }
            port.port
                .read(random.below(40) as usize, &mut received)
                .unwrap();
            reads += 1;
        }
        feeder.join().unwrap();
        assert!(received == sent);
        assert!(port.readable.count() <= reads + 1);
    }
}

/// Stays in its call until someone is about to disable the line.
#[derive(Default)]
struct Slow {
    entered: AtomicBool,
    disabling: AtomicBool,
    disabled: AtomicBool,
}

impl InterruptSink for Slow {
    fn interrupt_occurred(&self, _: Occurrence) {
        self.entered.store(true, Ordering::Release);
        until("someone disables", || {
            self.disabling.load(Ordering::Acquire)
        });
        for _ in 0..100 {
            thread::yield_now();
        }
        assert!(!self.disabled.load(Ordering::Acquire));
    }

    fn occurrences_lost(&self, _: u32) {}
}

#[test]
fn disable_waits_for_a_call_on_another_thread() {
    let ports = ports();
    let port = open(&ports, 10);
    let line = port.readable().unwrap();
    let slow = Arc::new(Slow::default());
    line.register(slow.clone()).unwrap();
    line.enable();
    let feeder = thread::spawn(move || ports.feed("any", b"x").unwrap());
    until("the call", || slow.entered.load(Ordering::Acquire));
    slow.disabling.store(true, Ordering::Release);
    line.disable();
    slow.disabled.store(true, Ordering::Release);
    feeder.join().unwrap();
}
