//! The sample drivers, on the board that their folder has for them.

use loopgate::board_file::ClockKind;
use loopgate::workloop::Instant;
use loopgate::{Board, BoardFile, ErrorCode, PowerState, Request};
use loopgate_integration::{ask, assert_running, driver, entry, logged, root, virtual_board};
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

/// A DHT22 on a wire: whoever drives that low for a millisecond gets an answer.
fn sense(board: &Board, wire: &'static str, answer: &Arc<Mutex<Option<[u8; 5]>>>) -> Asked {
    let asked = Asked::default();
    let (seen, answer) = (asked.clone(), answer.clone());
    let sim = Arc::downgrade(board.sim());
    let fell = Mutex::new(Instant::ZERO);
    board.sim().observe(move |change| {
        if change.line != wire {
            return;
        }
        let mut fell = fell.lock().unwrap();
        if !change.high {
            *fell = change.timestamp;
            return;
        }
        let pulse = change.timestamp.saturating_since(*fell);
        if pulse < Duration::from_millis(1) {
            return;
        }
        seen.lock().unwrap().push((*fell, pulse));
        let (Some(sim), Some(bytes)) = (sim.upgrade(), *answer.lock().unwrap()) else {
            return;
        };
        let bits = bytes
            .into_iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        let highs = [80]
            .into_iter()
            .chain(bits.map(|bit| if bit == 1 { 70 } else { 26 }));
        let mut at = change.timestamp.saturating_add(Duration::from_micros(30));
        let mut edges = Vec::new();
        for high in highs {
            for (level, micros) in [(false, 54), (true, high)] {
                edges.push((at, level));
                at = at.saturating_add(Duration::from_micros(micros));
            }
        }
        let end = at.saturating_add(Duration::from_micros(54));
        edges.extend([(at, false), (end, true)]);
        sim.play(wire, edges).unwrap();
    });
    asked
}

/// When, and for how long the wire was low.
type Asked = Arc<Mutex<Vec<(Instant, Duration)>>>;

#[test]
fn am230x_asks_its_sensor_on_the_wire_that_it_answers_on() {
    let pins = "provides = [\"am230x\"]\nconfig = { period-ms = \"3000\" }\n[driver.gpio]\n\
        data = { line = \"WIRE\", direction = \"input\", bias = \"pull-up\", edges = \"falling\" }\n\
        start = { line = \"WIRE\", direction = \"output\", drive = \"open-drain\" }";
    let board = virtual_board(entry("sensor", &driver("am230x"), pins));
    let answer = Arc::new(Mutex::new(Some([0x02, 0x8c, 0x80, 0x65, 0x73])));
    let asked = sense(&board, "WIRE", &answer);
    let text = |selector| {
        let reply = board.call("am230x", Request::named(selector)).unwrap();
        String::from_utf8(reply.data).unwrap()
    };
    let counts =
        || ["readings", "checksum-errors", "missed"].map(|name| ask(&board, "am230x", name));
    let none = board.call("am230x", Request::named("humidity"));
    assert_eq!(none.unwrap_err().code, ErrorCode::NotReady);
    board.run_for(Duration::from_millis(3100));
    assert_eq!(
        (text("humidity"), text("temperature")),
        ("65.2".into(), "-10.1".into())
    );
    assert_eq!(ask(&board, "am230x", "temperature").cast_signed(), -101);
    assert_eq!(counts(), [1, 0, 0]);
    assert!(logged(&board, "sensor", "65.2 %, -10.1 degrees"));

    answer.lock().unwrap().as_mut().unwrap()[0] ^= 1;
    board.run_for(Duration::from_secs(3));
    assert_eq!(counts(), [1, 1, 0]);
    *answer.lock().unwrap() = None;
    board.run_for(Duration::from_secs(9));
    assert_eq!(counts(), [1, 1, 3]);
    let (stale, rest) = (text("humidity"), "s old");
    assert!(
        stale.starts_with("65.2, stale: 1") && stale.ends_with(rest),
        "{stale}"
    );
    *answer.lock().unwrap() = Some([0x02, 0x8c, 0x01, 0x5f, 0xee]);
    board.run_for(Duration::from_secs(3));
    assert_eq!(text("temperature"), "35.1");
    assert_eq!(counts(), [2, 1, 3]);

    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 6);
    for pair in asked.windows(2) {
        assert!(pair[1].0.saturating_since(pair[0].0) >= Duration::from_secs(3));
    }
    // As the device wants it.
    let pulse = Duration::from_millis(1)..Duration::from_millis(20);
    assert!(
        asked.iter().all(|(_, low)| pulse.contains(low)),
        "{asked:?}"
    );
    assert_running(&board, "sensor");
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
