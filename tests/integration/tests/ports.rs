//! What a driver is told of its serial port besides bytes, and what it may
//! switch.

use loopgate::devices::linux::KernelDevices;
use loopgate::devices::serial::{
    Device, ModemLines, PortRequest, SerialController as _, SerialPort,
};
use loopgate::workloop::SystemClock;
use loopgate::{Board, ErrorCode, Request};
use loopgate_integration::{
    ask, assert_running, entry, guest, logged, real_board, until, virtual_board,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn drivers(port: &str) -> String {
    let rest = format!("provides = [\"serial\"]\n[driver.serial]\nport = {{ {port} }}");
    entry("serial", &guest("probe_serial"), &rest)
}

fn call(board: &Board, selector: &str, scalar: u64) -> Result<String, ErrorCode> {
    let request = Request {
        scalars: [scalar, 0, 0, 0],
        ..Request::named(selector)
    };
    let reply = board.call("serial", request).map_err(|error| error.code)?;
    Ok(String::from_utf8(reply.data).unwrap())
}

fn opened(port: &str) -> Board {
    let board = virtual_board(drivers(port));
    assert_eq!(call(&board, "open", 0), Ok(String::new()));
    board
}

#[test]
fn line_errors_are_events_with_a_place_among_the_bytes() {
    let board = opened("sim = \"S\", framing = \"7E2\"");
    let port = board.sim_ports();
    port.feed("S", b"ab").unwrap();
    port.send_break("S").unwrap();
    port.feed_damaged("S", b"c").unwrap();
    port.feed("S", b"d").unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(ask(&board, "serial", "heard"), 1);
    for said in ["ab 1 0 0", "c 0 1 0", "d 0 0 0", " 0 0 0"] {
        assert_eq!(call(&board, "read", 0).unwrap(), said);
    }
    // With no byte, too.
    board.run_for(MILLISECOND);
    let heard = ask(&board, "serial", "heard");
    port.send_break("S").unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(ask(&board, "serial", "heard"), heard + 1);
    assert_eq!(call(&board, "read", 0).unwrap(), " 1 0 0");
    let status = &board.status().drivers[0].ports["port"];
    assert_eq!((status.breaks, status.bytes_damaged), (2, 1));
}

#[test]
fn modem_lines_and_breaks_reach_the_device() {
    let board = opened("sim = \"S\"");
    let port = board.sim_ports();
    assert_eq!(call(&board, "lines", 0).unwrap(), "cts dsr dcd");
    let ringing = ModemLines {
        ri: true,
        ..ModemLines::default()
    };
    port.set_modem_lines("S", ringing).unwrap();
    assert_eq!(call(&board, "lines", 0).unwrap(), "ri");
    call(&board, "dtr", 0).unwrap();
    call(&board, "break", 20_000_000).unwrap();
    for wrong in [0, 10_000_000_001, u64::MAX] {
        assert_eq!(call(&board, "break", wrong), Err(ErrorCode::BadArgument));
    }
    let state = &port.show()[0];
    assert_eq!((state.dtr, state.rts, state.breaks_sent), (false, true, 1));
    port.unplug("S").unwrap();
    for selector in ["lines", "dtr", "break"] {
        assert_eq!(call(&board, selector, 1), Err(ErrorCode::NoDevice));
    }
    assert_running(&board, "serial");
}

#[test]
fn the_next_version_finds_the_lines_and_the_line_errors() {
    let rest = "provides = [\"serial\"]\nconfig = { open = \"start\" }\n\
                [driver.serial]\nport = { sim = \"S\" }";
    let board = virtual_board(entry("serial", &guest("probe_serial"), rest));
    let port = board.sim_ports();
    call(&board, "dtr", 0).unwrap();
    port.feed("S", b"ab").unwrap();
    port.send_break("S").unwrap();
    board.reload("serial").unwrap();
    assert!(!port.show()[0].dtr);
    assert_eq!(call(&board, "read", 0).unwrap(), "ab 1 0 0");
    // Once nobody has it, the next one opens it anew.
    board.stop_driver("serial").unwrap();
    assert!(!port.show()[0].dtr);
    board.start_driver("serial").unwrap();
    assert!(port.show()[0].dtr);
}

#[test]
fn a_withdrawn_port_is_not_granted_whatever_is_asked_of_it() {
    let board = opened("sim = \"S\"");
    board.revoke("serial", "port").unwrap();
    for length in [0, 1, u64::MAX] {
        assert_eq!(call(&board, "break", length), Err(ErrorCode::NotGranted));
    }
    assert_running(&board, "serial");
}

#[test]
fn rts_is_not_the_drivers_where_the_board_file_gives_it_away() {
    for port in ["flow = \"rts-cts\"", "rs485 = true"] {
        let board = opened(&format!("sim = \"S\", {port}"));
        assert_eq!(call(&board, "rts", 0), Err(ErrorCode::Unsupported));
        assert!(logged(&board, "serial", "has no line RTS of its own"));
        call(&board, "dtr", 0).unwrap();
    }
}

#[test]
fn what_a_pseudo_terminal_leaves_out_is_unsupported() {
    for (port, said) in [
        ("framing = \"7E1\"", "has no framing 7E1"),
        (
            "flow = \"xon-xoff\"",
            "has no flow control xon-xoff; take `flow` out of its entry",
        ),
        ("rs485 = true", "has no RS-485 mode"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("port");
        let board = real_board(drivers(&format!("pty = \"{}\", {port}", link.display())));
        assert_eq!(call(&board, "open", 0), Err(ErrorCode::Unsupported));
        assert!(logged(&board, "serial", said), "{said}");
    }
}

/// A terminal whose other end is at `link`; dropping it unplugs that.
fn plugged(link: &Path) -> Arc<dyn SerialPort> {
    let link = link.to_owned();
    let request = PortRequest::new(Device::Pty { link }, 9_600, "device");
    let kernel = KernelDevices::new(Arc::new(SystemClock));
    kernel.open(&request).unwrap()
}

#[test]
fn a_driver_lives_through_its_adapter_and_hears_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("adapter");
    let mut device = plugged(&link);
    let board = real_board(drivers(&format!("device = \"{}\"", link.display())));
    call(&board, "open", 0).unwrap();
    // Until it reads, it is told of nothing more: so each is waited for.
    let mut told = 0;
    let mut hears = |what| {
        told += 1;
        until(what, || ask(&board, "serial", "heard") == told);
    };
    for round in 1..=3 {
        assert_eq!(device.write(b"hello").unwrap(), 5);
        let mut bytes = String::new();
        while bytes != "hello" {
            hears("the bytes");
            let read = call(&board, "read", 0).unwrap();
            bytes += read.strip_suffix(" 0 0 0").expect("nothing is damaged");
        }
        // The name goes first: another terminal may get the number at once.
        std::fs::remove_file(&link).unwrap();
        drop(device);
        hears("that it has gone");
        assert_eq!(call(&board, "read", 0), Err(ErrorCode::NoDevice));
        assert_eq!(call(&board, "lines", 0), Err(ErrorCode::NoDevice));
        device = plugged(&link);
        hears("that it is back");
        assert_eq!(call(&board, "read", 0).unwrap(), " 0 0 0", "{round}");
        assert_eq!(call(&board, "lines", 0), Err(ErrorCode::Unsupported));
    }
    assert_running(&board, "serial");
}
