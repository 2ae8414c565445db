//! Three sample drivers in a stack, on one loop: keys that are pressed at the
//! bottom type texts at the top.

use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, ErrorCode, Mode, Request, State};
use loopgate_integration::{assert_running, cache, code, log, root, state, until};
use std::time::Duration;

const DRIVERS: [&str; 3] = ["expander-sim", "keypad", "macro-pad"];

const MILLISECOND: Duration = Duration::from_millis(1);

fn board(clock: ClockKind) -> Board {
    edited_board(clock, str::to_owned)
}

/// The samples' board file, with a change.
fn edited_board(clock: ClockKind, edit: impl FnOnce(&str) -> String) -> Board {
    let path = root().join("sample-drivers/board.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let file = BoardFile::parse(&edit(&text), path).unwrap_or_else(|error| panic!("{error}"));
    let board = Board::builder()
        .board(file)
        .clock(clock)
        .cache_directory(cache().join("code"))
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    for driver in DRIVERS {
        assert_running(&board, driver);
    }
    board
}

/// Row and column of a key.
fn place(key: char) -> [u64; 2] {
    let place = "123456789*0#".find(key).expect("a key") as u64;
    [place / 3, place % 3]
}

fn turn(board: &Board, selector: &str, key: char) {
    let [row, column] = place(key);
    let mut request = Request::named(selector);
    request.scalars = [row, 4 + column, 0, 0];
    board
        .call("expander", request)
        .unwrap_or_else(|error| panic!("{selector} {key}: {error}"));
}

fn press(board: &Board, key: char) {
    turn(board, "press", key);
    board.run_for(10 * MILLISECOND);
    turn(board, "release", key);
    board.run_for(10 * MILLISECOND);
}

fn typed(board: &Board) -> (u64, String) {
    let reply = board.call("macro-pad", Request::named("typed")).unwrap();
    (reply.scalar, String::from_utf8(reply.data).unwrap())
}

#[test]
fn keys_at_the_bottom_type_at_the_top() {
    let board = board(ClockKind::Virtual);
    for key in "1#2#3#9#1*3#12#".chars() {
        press(&board, key);
    }
    assert_eq!(typed(&board), (4, "hello, worldworld".to_owned()));
}

#[test]
fn rule_127_all_of_it_is_on_its_providers_loop() {
    let loops = |board: Board| {
        let drivers = board.status().drivers;
        DRIVERS.map(|name| {
            let mut drivers = drivers.iter();
            drivers
                .find(|driver| driver.name == name)
                .unwrap()
                .work_loop
                .clone()
        })
    };
    let dedicate = |service: &'static str| {
        let provides = format!("provides = [\"{service}\"]");
        let edit = |text: &str| {
            text.replacen(
                &provides,
                &format!("work-loop = \"dedicated\"\n{provides}"),
                1,
            )
        };
        edited_board(ClockKind::Virtual, edit)
    };
    assert_eq!(loops(board(ClockKind::Virtual)), ["board"; 3]);
    assert_eq!(loops(dedicate("expander")), ["expander-sim"; 3]);
    assert_eq!(loops(dedicate("keypad")), ["board", "keypad", "keypad"]);
}

/// A key that bounces is one key, 5 ms after its last edge; and it is there
/// for whoever has waited longest.
#[test]
fn bounces_are_one_key_and_its_time_is_exact() {
    let board = board(ClockKind::Virtual);
    let counts = |name: &str| {
        let status = board.status();
        let driver = status.drivers.iter().find(|driver| driver.name == name);
        driver.unwrap().counts
    };
    let before = counts("macro-pad").calls;
    for _ in 0..4 {
        turn(&board, "press", '5');
        board.run_for(MILLISECOND);
        turn(&board, "release", '5');
        board.run_for(MILLISECOND);
    }
    turn(&board, "press", '5');
    board.run_for(Duration::from_nanos(4_999_999));
    assert_eq!(counts("macro-pad").calls, before);
    board.run_for(Duration::from_nanos(1));
    assert_eq!(counts("macro-pad").calls, before + 1, "`completed`");
    turn(&board, "release", '5');
    board.run_for(100 * MILLISECOND);
    assert_eq!(counts("macro-pad").calls, before + 1);
    assert_eq!(
        counts("keypad").interrupts,
        10,
        "the scans have caused none"
    );
}

/// The keys are connected as on a real matrix: the fourth corner cannot be told
/// from a key, and none of it is typed.
#[test]
fn three_keys_at_the_corners_of_a_rectangle_type_no_fourth() {
    let board = board(ClockKind::Virtual);
    for key in ['1', '2', '4'] {
        turn(&board, "press", key);
        board.run_for(10 * MILLISECOND);
    }
    for key in ['1', '2', '4'] {
        turn(&board, "release", key);
        board.run_for(10 * MILLISECOND);
    }
    press(&board, '#');
    press(&board, '1');
    press(&board, '#');
    assert_eq!(
        typed(&board),
        (1, "hello".to_owned()),
        "`12` is no macro, `1245` neither"
    );
}

#[test]
fn a_key_answers_who_has_waited_longest() {
    let board = board(ClockKind::Virtual);
    board.stop_driver("macro-pad").unwrap();
    let now = Mode::Run(Some(MILLISECOND));
    let next = || board.call("keypad", Request::named("next-key").mode(now));
    assert_eq!(
        code(&board, "keypad", "next-key", MILLISECOND),
        ErrorCode::TimedOut
    );
    for key in "123456789*0#123456789".chars() {
        press(&board, key);
    }
    let kept: Vec<u8> = (0..16).flat_map(|_| next().unwrap().data).collect();
    assert_eq!(
        kept, b"6789*0#123456789",
        "who gave up got none, the latest are kept"
    );
    assert_eq!(next().unwrap_err().code, ErrorCode::TimedOut);
}

/// A new version of the lowest driver: what is open above it works on.
#[test]
fn the_lowest_is_reloaded_under_the_others() {
    let board = board(ClockKind::Virtual);
    press(&board, '1');
    board.reload("expander-sim").unwrap();
    board.run_for(10 * MILLISECOND);
    press(&board, '#');
    assert_eq!(typed(&board), (1, "hello".to_owned()));
}

#[test]
fn the_same_keys_give_the_same_trace() {
    let trace = || {
        let board = board(ClockKind::Virtual);
        "1#2#".chars().for_each(|key| press(&board, key));
        let status = board.status();
        let counts = status
            .drivers
            .iter()
            .map(|driver| (driver.name.clone(), driver.counts));
        (status.uptime_ns, typed(&board), counts.collect::<Vec<_>>())
    };
    assert_eq!(trace(), trace());
}

#[test]
fn it_runs_in_real_time_too() {
    let board = board(ClockKind::Real);
    for key in ['1', '#'] {
        let before = board.status();
        let edges = |status: &loopgate::Status| {
            let driver = status
                .drivers
                .iter()
                .find(|driver| driver.name == "macro-pad");
            driver.unwrap().counts.calls
        };
        turn(&board, "press", key);
        until("the key is typed", || {
            edges(&board.status()) > edges(&before)
        });
        turn(&board, "release", key);
        // Not a second key before the first was seen to go.
        let timeouts = || {
            let status = board.status();
            let driver = status.drivers.iter().find(|driver| driver.name == "keypad");
            driver.unwrap().counts.timeouts
        };
        let seen = timeouts();
        until("it is seen to go", || timeouts() > seen);
    }
    until("it is typed", || typed(&board) == (1, "hello".to_owned()));
}

/// Where a driver has another provider, it lives on as this one goes and comes.
fn board_with_another_provider_for(service: &str) -> Board {
    let alone = format!("uses = [\"{service}\"]");
    let both = format!("uses = [\"{service}\", \"ram-block\"]\nlimits = {{ closing = \"1 ms\" }}");
    edited_board(ClockKind::Virtual, |text| text.replacen(&alone, &both, 1))
}

#[test]
fn rule_137_whoever_lives_on_goes_on_with_the_next_provider() {
    for (service, lower, upper) in [
        ("expander", "expander-sim", "keypad"),
        ("keypad", "keypad", "macro-pad"),
    ] {
        let board = board_with_another_provider_for(service);
        press(&board, '1');
        assert_eq!(board.stop_driver(lower).unwrap(), [lower]);
        assert_running(&board, upper);
        board.run_for(10 * MILLISECOND);
        board.start_driver(lower).unwrap();
        board.run_for(10 * MILLISECOND);
        press(&board, '#');
        assert_eq!(typed(&board), (1, "hello".to_owned()), "{lower}");
    }
}

/// A new version of the one in the middle, in the midst of a sequence of keys.
#[test]
fn the_middle_one_is_reloaded_between_the_others() {
    let board = board(ClockKind::Virtual);
    press(&board, '1');
    for _ in 0..3 {
        board.reload("keypad").unwrap();
        board.run_for(10 * MILLISECOND);
    }
    press(&board, '#');
    assert_eq!(typed(&board), (1, "hello".to_owned()));
}

/// The board's log has the order, its status the causes.
#[test]
fn rule_132_stopping_the_lowest_ends_the_stack_from_the_top() {
    let board = board(ClockKind::Virtual);
    press(&board, '1');
    let from_the_top = ["macro-pad", "keypad", "expander-sim"];
    let (stopped, log) = log::capture(|| board.stop_driver("expander-sim").unwrap());
    assert_eq!(stopped, from_the_top);
    let lines = log
        .lines()
        .filter_map(|line| line.strip_suffix(": stopped"));
    let ended: Vec<_> = lines.filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(ended, from_the_top, "{log}");
    let because = |through: &str| {
        let cause = format!("`expander-sim`, which it uses{through}, was stopped");
        (State::Stopped, cause)
    };
    assert_eq!(state(&board, "macro-pad"), because(" through `keypad`"));
    assert_eq!(state(&board, "keypad"), because(""));
    assert_eq!(
        state(&board, "expander-sim"),
        (State::Stopped, String::new())
    );
    assert_eq!(board.start_driver("expander-sim").unwrap(), DRIVERS);
    for key in ['1', '#'] {
        press(&board, key);
    }
    assert_eq!(typed(&board), (1, "hello".to_owned()));
}
