//! The sample drivers, on the board that their folder has for them.

use loopgate::board_file::ClockKind;
use loopgate::workloop::Instant;
use loopgate::{Board, BoardFile, PowerState, Request};
use loopgate_integration::{ask, assert_running, root};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn sample_board() -> Board {
    let file = BoardFile::read(root().join("sample-drivers/board.toml"))
        .unwrap_or_else(|error| panic!("{error}"));
    Board::builder()
        .board(file)
        .clock(ClockKind::Virtual)
        .without_cache()
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
}

/// An entry that is switched off has a `#` before each line, and no space.
#[test]
fn a_raspberry_pi_s_board_can_be_read_with_every_entry_switched_on() {
    let path = root().join("sample-drivers/raspberry-pi.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let read = |text: &str| {
        let file = BoardFile::parse(text, path.clone()).unwrap_or_else(|error| panic!("{error}"));
        let components = file.drivers.iter();
        let components = components.map(|driver| file.resolve(driver.component.get_ref()));
        components.collect::<Vec<_>>()
    };
    let shipped = read(&text);
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    let all = read(&text.lines().map(on).collect::<String>());
    assert!(all.len() > shipped.len() && all.starts_with(&shipped));
    assert!(all.iter().all(|component| component.exists()), "{all:?}");
}

#[test]
fn blink_toggles_its_led_every_period() {
    let board = sample_board();
    assert_running(&board, "blink");
    let changes = Arc::new(Mutex::new(Vec::new()));
    let seen = changes.clone();
    board.sim().observe(move |change| {
        if change.line == "GPIO22" {
            seen.lock().unwrap().push(change.timestamp);
        }
    });
    let start = board.now();
    board.run_for(Duration::from_secs(10));
    let changes: Vec<Duration> = changes
        .lock()
        .unwrap()
        .iter()
        .map(|at: &Instant| at.saturating_since(start))
        .collect();
    let expected: Vec<Duration> = (1..=20).map(|n| Duration::from_millis(500 * n)).collect();
    assert_eq!(changes, expected);
}

#[test]
fn blink_is_dark_while_the_board_sleeps() {
    let board = sample_board();
    let changes = || {
        let lines = board.sim().show();
        let lamp = lines.into_iter().find(|line| line.name == "GPIO22");
        let lamp = lamp.unwrap();
        (lamp.high, lamp.edges)
    };
    board.run_for(Duration::from_millis(700));
    assert_eq!(changes(), (true, 1));
    board.power(PowerState::Sleep).unwrap();
    board.run_for(Duration::from_secs(10));
    assert_eq!(changes(), (false, 2));
    board.power(PowerState::On).unwrap();
    board.run_for(Duration::from_millis(500));
    assert_eq!(changes(), (true, 3));
}

#[test]
fn button_led_counts_presses_and_not_bounces() {
    let board = sample_board();
    assert_running(&board, "button-led");
    for press in 1..=3 {
        for high in [false, true, false, true, false] {
            board.sim().set("GPIO17", high).unwrap();
            board.run_for(Duration::from_millis(1));
        }
        board.run_for(Duration::from_millis(100));
        let led = board
            .sim()
            .show()
            .into_iter()
            .find(|line| line.name == "GPIO27")
            .unwrap();
        assert_eq!(led.high, press % 2 == 1);
        board.sim().set("GPIO17", true).unwrap();
        board.run_for(Duration::from_millis(100));
        assert_eq!(ask(&board, "button-led", "presses"), press);
    }
    let reply = board.call("button-led", Request::numbered(1)).unwrap();
    assert_eq!(reply.data, b"3");
}

#[test]
fn quadrature_counts_steps_both_ways_and_not_bounces() {
    let board = sample_board();
    assert_running(&board, "quadrature");
    let turn = |steps: &[(&str, bool)]| {
        for &(pin, high) in steps {
            board.sim().set(pin, high).unwrap();
            board.run_for(Duration::from_micros(100));
        }
        let reply = board.call("quadrature", Request::named("count")).unwrap();
        String::from_utf8(reply.data).unwrap()
    };
    let (a, b) = ("GPIO5", "GPIO6");
    // Both contacts are open at first, which is high.
    let forwards = [(a, false), (b, false), (a, true), (b, true)];
    let back = [(b, false), (a, false), (b, true), (a, true)];
    assert_eq!(turn(&forwards), "4");
    assert_eq!(turn(&[(a, false), (a, true)].repeat(20)), "4");
    assert_eq!(turn(&[back, back].concat()), "-4");
    assert_eq!(ask(&board, "quadrature", "errors"), 0);
}

#[test]
fn block_cache_reads_what_ram_block_has() {
    let board = sample_board();
    let write = Request::named("write").scalar(1000).data("hello, disk");
    assert_eq!(board.call("ram-block", write).unwrap().scalar, 11);
    let mut read = Request::named("read");
    read.scalars = [1000, 5, 0, 0];
    assert_eq!(
        board.call("ram-block", read.clone()).unwrap().data,
        b"hello"
    );
    let begun = board.now();
    // Across two pieces of the disk, 5 ms each.
    read.scalars = [1000, 2 * 512 - 1000 + 3, 0, 0];
    let reply = board.call("block-cache", read.clone()).unwrap();
    assert!(reply.data.starts_with(b"hello, disk"));
    let took = board.now().saturating_since(begun);
    assert_eq!(took, Duration::from_millis(10));
    assert_eq!(board.call("block-cache", read).unwrap(), reply);
    assert_eq!(board.now().saturating_since(begun), took, "it was kept");
    assert_eq!(ask(&board, "block-cache", "drop"), 2);
}
