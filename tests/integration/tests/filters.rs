//! Filters of real guests: what they see, what becomes of those that misbehave,
//! and that no interrupt is lost between them and the handlers.

use loopgate::{Board, Request, State};
use loopgate_integration::{
    ask, assert_running, entry, guest, log, real_board, refused, state, until, virtual_board,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A driver with a filter of `IN`; `other` is a second input.
fn probe(config: &str, more: &str) -> String {
    let rest = format!(
        "provides = [\"filter\"]\nconfig = {{ {config} }}\n{more}\n[driver.gpio]\n\
         other = {{ line = \"OTHER\", direction = \"input\" }}\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}"
    );
    entry("probe", &guest("probe_filter"), &rest)
}

fn hostile(component: &str, how: &str, pins: &str) -> String {
    let rest = format!(
        "provides = [\"hostile-filter\"]\nconfig = {{ how = \"{how}\" }}\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}\n{pins}"
    );
    entry("bad", &guest(component), &rest)
}

/// So many edges of `IN`, which is low before and after an even number.
fn toggle(board: &Board, edges: u32) {
    for edge in 0..edges {
        board.sim().set("IN", edge % 2 == 0).unwrap();
    }
    board.run_for(MILLISECOND);
}

/// Of the first driver: what its filters claimed, declined, and how many are off.
fn filtered(board: &Board) -> [u64; 3] {
    let counts = board.status().drivers[0].counts;
    [counts.claimed, counts.declined, counts.filters_off]
}

fn set_word(board: &Board, word: u64) {
    let request = Request::named("word").scalar(word);
    board.call("filter", request).unwrap();
}

#[test]
fn what_a_filter_declines_is_nothing() {
    let board = virtual_board(probe("", ""));
    toggle(&board, 30);
    assert_eq!(ask(&board, "filter", "counted"), 10);
    assert_eq!(filtered(&board), [10, 20, 0]);
    assert_eq!(board.status().drivers[0].counts.interrupts, 10);
}

#[test]
fn a_filter_sees_the_word_as_soon_as_it_is_set() {
    let board = virtual_board(probe("word = \"2\"", ""));
    toggle(&board, 4);
    assert_eq!(ask(&board, "filter", "counted"), 0);
    set_word(&board, 1);
    toggle(&board, 4);
    assert_eq!(ask(&board, "filter", "counted"), 4);
}

#[test]
fn a_filter_sees_the_levels_of_the_open_inputs_in_the_files_order() {
    // The first input of the entry is `other`.
    let board = virtual_board(probe("word = \"4\", other = \"other\"", ""));
    toggle(&board, 4);
    assert_eq!(ask(&board, "filter", "counted"), 0);
    board.sim().set("OTHER", true).unwrap();
    toggle(&board, 4);
    assert_eq!(ask(&board, "filter", "counted"), 4);
    // `in` itself, the second: high after every other edge.
    set_word(&board, 4 | 1 << 8);
    toggle(&board, 4);
    assert_eq!(ask(&board, "filter", "counted"), 6);
    // Who does not open an input sees nothing of it.
    let board = virtual_board(probe("word = \"4\"", ""));
    board.sim().set("OTHER", true).unwrap();
    toggle(&board, 4);
    assert_eq!(ask(&board, "filter", "counted"), 0);
}

#[test]
fn a_filter_keeps_what_it_remembers_to_itself() {
    let board = virtual_board(probe("word = \"6\"", ""));
    toggle(&board, 9);
    assert_eq!(ask(&board, "filter", "counted"), 3);
}

#[test]
fn a_rate_cap_needs_no_filter() {
    let rest = "provides = [\"counter\"]\n[driver.gpio]\n\
                in = { line = \"IN\", direction = \"input\", edges = \"both\", rate-cap = 100 }";
    let board = virtual_board(entry("counter", &guest("probe_counter"), rest));
    toggle(&board, 250);
    let told = ["edges", "lost"].map(|selector| ask(&board, "counter", selector));
    assert_eq!(told, [100, 1], "the rest is told with the next one");
    board.run_for(Duration::from_secs(1));
    toggle(&board, 2);
    let told = ["edges", "lost"].map(|selector| ask(&board, "counter", selector));
    assert_eq!(told, [102, 150]);
}

/// The interrupt at which it fails counts, and all after it do.
fn assert_switched_off(board: &Board, service: &str, calls: &str, log: &str, words: &str) {
    assert_running(board, &board.status().drivers[0].name);
    assert_eq!(ask(board, service, "filtered"), 0, "{words}");
    assert_eq!(ask(board, service, calls), 1, "{words}");
    assert_eq!(filtered(board)[2], 1, "{words}");
    assert!(log.contains("the filter of interrupt source"), "{log}");
    assert!(log.contains(words), "{words}: {log}");
    for _ in 0..2 {
        let lines = board.sim().show();
        let line = lines.iter().find(|line| line.name == "IN").unwrap();
        board.sim().set("IN", !line.high).unwrap();
        board.run_for(MILLISECOND);
    }
    assert_eq!(ask(board, service, calls), 3, "{words}");
}

#[test]
fn a_filter_that_fails_is_switched_off_and_harms_nobody() {
    for (how, words) in [
        ("spin", "limit `filter-fuel`: more than 10000 instructions"),
        ("trap", "and a filter has none; to panic is to print"),
        ("recurse", "in one call"),
        ("alloc", "limit `memory`: asked for"),
        (
            "import",
            "it called the import `loopgate:driver/log@0.1.0#log`",
        ),
    ] {
        let board = virtual_board(hostile("hostile_filter", how, ""));
        let ((), log) = log::capture(|| toggle(&board, 1));
        assert_switched_off(&board, "hostile-filter", "calls", &log, words);
    }
}

/// Else what is to be said of filters could pile up without end.
#[test]
fn what_a_filter_failed_of_is_told_also_if_its_source_goes_at_once() {
    let board = virtual_board(hostile("hostile_filter", "trap", ""));
    let ((), log) = log::capture(|| {
        board.sim().set("IN", true).unwrap();
        assert_eq!(ask(&board, "hostile-filter", "drop"), 1);
        assert_eq!(ask(&board, "hostile-filter", "calls"), 0, "not delivered");
    });
    assert!(log.contains("the filter of interrupt source"), "{log}");
}

#[test]
fn limits_of_filters_are_the_boards_to_set() {
    for (limits, edges, words) in [
        (
            "filter-fuel = 1000",
            // Its first call may hold initialisers.
            2,
            "limit `filter-fuel`: more than 1000 instructions in one call",
        ),
        (
            "filter-budget = 30000",
            300,
            "limit `filter-budget`: more than 30000 instructions in one second",
        ),
    ] {
        let limits = format!("limits = {{ {limits} }}");
        let board = virtual_board(probe("word = \"7\"", &limits));
        let ((), log) = log::capture(|| toggle(&board, edges));
        assert_switched_off(&board, "filter", "calls", &log, words);
    }
}

#[test]
fn a_budget_is_for_a_second() {
    let limits = "limits = { filter-budget = 30000 }";
    let board = virtual_board(probe("word = \"7\"", limits));
    for _ in 0..100 {
        toggle(&board, 2);
        board.run_for(Duration::from_secs(1));
    }
    assert_eq!(ask(&board, "filter", "filtered"), 1);
    assert_eq!(filtered(&board)[2], 0);
}

#[test]
fn an_initialiser_that_calls_an_import_leaves_no_room_for_a_filter() {
    let pins = hostile("hostile_initialiser", "", "");
    let (board, log) = log::capture(|| virtual_board(pins));
    assert_running(&board, "bad");
    assert!(log.contains("got `not-permitted`"), "{log}");
    assert!(
        log.contains("it called the import `loopgate:driver/work-loop@0.1.0#now`"),
        "{log}"
    );
}

#[test]
fn filters_without_end_are_refused() {
    let pin =
        |n| format!("in{n} = {{ line = \"IN{n}\", direction = \"input\", edges = \"both\" }}\n");
    let pins = (0..20).map(pin).collect::<Vec<_>>().concat();
    let many = hostile("hostile_filter", "many", &pins);
    let (board, log) = log::capture(|| virtual_board(many));
    assert!(
        log.contains("created 16, stopped by `no-resources`"),
        "{log}"
    );
    assert!(log.contains("limit `filters`: more than 16"), "{log}");
    assert_eq!(
        state(&board, "bad").0,
        State::Failed,
        "its own was the 17th"
    );
    let board = virtual_board(hostile("hostile_filter", "churn", ""));
    assert_running(&board, "bad");
}

#[test]
fn the_next_version_has_a_filter_of_its_own() {
    let board = virtual_board(probe("word = \"6\"", ""));
    toggle(&board, 2);
    board.reload("probe").unwrap();
    toggle(&board, 2);
    assert_eq!(ask(&board, "filter", "counted"), 0, "nothing is remembered");
    toggle(&board, 1);
    assert_eq!(ask(&board, "filter", "counted"), 1);
    assert_eq!(ask(&board, "filter", "filtered"), 1);
}

/// A million edges of `IN` from four threads, while `meanwhile` goes on until
/// it is told that they have ended.
fn a_million(board: &Board, meanwhile: impl FnOnce(&AtomicBool)) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producers = [(); 4].map(|()| {
            scope.spawn(|| {
                for edge in 0..250_000 {
                    board.sim().set("IN", edge % 2 == 0).unwrap();
                }
            })
        });
        let over = &over;
        scope.spawn(move || {
            for producer in producers {
                producer.join().unwrap();
            }
            over.store(true, Ordering::Release);
        });
        meanwhile(over);
    });
}

fn assert_all_told(board: &Board) {
    until("all are told", || {
        let counts = board.status().drivers[0].counts;
        counts.claimed == counts.interrupts + counts.lost
    });
    let counts = board.status().drivers[0].counts;
    assert!(counts.claimed > 1_000 && counts.declined > counts.claimed);
    assert_eq!(counts.filters_off, 0, "{counts:?}");
}

const BUDGET: &str = "limits = { filter-budget = 10000000000 }";

#[test]
fn a_million_interrupts_through_a_filter_are_delivered_or_lost() {
    let board = real_board(probe("how = \"toggles\"", BUDGET));
    a_million(&board, |_| ());
    assert_all_told(&board);
    let told = ask(&board, "filter", "counted") + ask(&board, "filter", "lost");
    assert_eq!(told, filtered(&board)[0]);
}

#[test]
fn the_same_with_the_driver_reloaded_ten_times() {
    let board = real_board(probe("how = \"toggles\"", BUDGET));
    a_million(&board, |over| {
        for _ in 0..10 {
            let before = filtered(&board)[0];
            until("its interrupts", || {
                over.load(Ordering::Acquire) || filtered(&board)[0] > before + 1_000
            });
            board.reload("probe").unwrap();
        }
    });
    assert_all_told(&board);
}

#[test]
fn the_same_with_the_driver_killed_ten_times() {
    let board = real_board(probe("how = \"toggles\"", BUDGET));
    a_million(&board, |over| {
        for life in 1..=10 {
            let before = filtered(&board)[0];
            until("its interrupts", || {
                over.load(Ordering::Acquire) || filtered(&board)[0] > before + 1_000
            });
            refused(&board, "filter", Request::named("trap"));
            assert_eq!(state(&board, "probe").0, State::Failed);
            board.start_driver("probe").unwrap();
            assert_eq!(board.status().drivers[0].generation, life + 1);
        }
    });
    assert_all_told(&board);
}
