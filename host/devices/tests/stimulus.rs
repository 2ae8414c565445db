//! What is scheduled: streams, debounce, and the player.

mod common;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Real};

use common::{Fixture, Random, at, listen};
use loopgate_devices::gpio::{Direction, Edges, GpioController, GpioLine, LineRequest};
use loopgate_workloop::{Clock, SystemClock};

const PATIENCE: Duration = Duration::from_mins(1);

fn wait_for(mut condition: impl FnMut() -> bool) {
    let begun = Real::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "it never happened");
        thread::yield_now();
    }
}

fn debounced(fixture: &Fixture, line: &str, nanos: u64) -> Arc<dyn GpioLine> {
    let mut request = LineRequest::new(line, "test", Direction::Input);
    request.debounce = Some(Duration::from_nanos(nanos));
    fixture.board.request(&request).unwrap()
}

#[test]
fn streams_are_merged_by_time_and_keep_it() {
    let fixture = Fixture::new();
    let log = fixture.record();
    fixture
        .board
        .play("up", [(at(10), false), (at(30), true)])
        .unwrap();
    fixture
        .board
        .play("down", [(at(20), true), (at(30), false)])
        .unwrap();
    assert_eq!(fixture.board.next_due(), Some(at(10)));
    fixture.clock.advance_to(at(100));
    fixture.board.run_due(at(100));
    let expected = [
        ("up", false, 10),
        ("down", true, 20),
        ("up", true, 30),
        ("down", false, 30),
    ];
    assert_eq!(
        *log.lock(),
        expected.map(|(line, high, t)| (line.to_owned(), high, t))
    );
    assert_eq!(fixture.board.next_due(), None);
}

#[test]
fn only_what_is_due_is_applied() {
    let fixture = Fixture::new();
    let log = fixture.record();
    fixture
        .board
        .play("down", (1..).map(|n| (at(n * 10), n % 2 == 1)))
        .unwrap();
    fixture.board.run_due(at(35));
    assert_eq!(log.lock().len(), 3);
    assert_eq!(fixture.board.next_due(), Some(at(40)));
}

#[test]
fn a_stream_is_asked_for_one_edge_at_a_time() {
    let fixture = Fixture::new();
    let asked = Arc::new(parking_lot::Mutex::new(0));
    let edges = (1..=1_000).map({
        let asked = Arc::clone(&asked);
        move |n| {
            *asked.lock() += 1;
            (at(n), n % 2 == 1)
        }
    });
    fixture.board.play("down", edges).unwrap();
    fixture.board.run_due(at(9));
    assert_eq!(*asked.lock(), 10);
}

#[test]
fn a_time_that_goes_back_counts_as_the_one_before() {
    let fixture = Fixture::new();
    let log = fixture.record();
    fixture
        .board
        .play("down", [(at(10), true), (at(5), false), (at(12), true)])
        .unwrap();
    fixture.run_to(20);
    let times: Vec<_> = log.lock().iter().map(|change| change.2).collect();
    assert_eq!(times, [10, 10, 12]);
}

#[test]
fn a_late_edge_is_not_before_what_was_seen_of_its_line() {
    let fixture = Fixture::new();
    let log = fixture.record();
    fixture.board.play("down", [(at(10), false)]).unwrap();
    fixture.clock.advance_to(at(15));
    fixture.board.set("down", true).unwrap();
    fixture.board.run_due(at(15));
    let times: Vec<_> = log.lock().iter().map(|change| change.2).collect();
    assert_eq!(times, [15, 15]);
}

#[test]
fn an_observer_may_change_play_and_ask() {
    let fixture = Fixture::new();
    let log = fixture.record();
    let board = Arc::downgrade(&fixture.board);
    fixture.board.observe(move |change| {
        let board = board.upgrade().unwrap();
        if change.line == "up" {
            assert_eq!(
                board.next_due(),
                Some(change.timestamp),
                "the stream is not asked yet"
            );
            board.set("down", !change.high).unwrap();
            board.play("float", [(at(25), !change.high)]).unwrap();
            board.run_due(at(1_000));
        }
    });
    fixture
        .board
        .play("up", [(at(10), false), (at(40), true)])
        .unwrap();
    fixture.run_to(30);
    let expected = [("up", false, 10), ("down", true, 10), ("float", true, 25)];
    assert_eq!(
        *log.lock(),
        expected.map(|(line, high, t)| (line.to_owned(), high, t))
    );
}

#[test]
fn a_level_counts_when_it_has_lasted() {
    let fixture = Fixture::new();
    let line = debounced(&fixture, "up", 100);
    let (_interrupt, sink) = listen(&line, Edges::Both);
    // A press that bounces, then a spike.
    let press = [
        (1_000, false),
        (1_020, true),
        (1_050, false),
        (5_000, true),
        (5_099, false),
    ];
    fixture
        .board
        .play("up", press.map(|(t, high)| (at(t), high)))
        .unwrap();
    fixture.run_to(1_149);
    assert_eq!((sink.take(), line.is_high().unwrap()), (vec![], true));
    fixture.run_to(1_150);
    assert_eq!(
        (sink.take(), line.is_high().unwrap()),
        (vec![(1, 1_150, false)], false)
    );
    fixture.run_to(10_000);
    assert_eq!((sink.take(), line.is_high().unwrap()), (vec![], false));
}

#[test]
fn a_level_that_lasts_exactly_the_period_counts() {
    let fixture = Fixture::new();
    let line = debounced(&fixture, "down", 100);
    let (_interrupt, sink) = listen(&line, Edges::Both);
    fixture
        .board
        .play("down", [(at(10), true), (at(110), false)])
        .unwrap();
    fixture.run_to(1_000);
    assert_eq!(sink.take(), [(1, 110, true), (2, 210, false)]);
}

#[test]
fn a_period_that_is_over_is_not_begun_again_by_a_late_set() {
    let fixture = Fixture::new();
    let line = debounced(&fixture, "down", 100);
    let (_interrupt, sink) = listen(&line, Edges::Both);
    fixture.board.set("down", true).unwrap();
    fixture.clock.advance_to(at(500));
    assert!(
        line.is_high().unwrap(),
        "it has settled, though nobody ran what is due"
    );
    fixture.board.set("down", false).unwrap();
    assert_eq!(sink.take(), [(1, 100, true)]);
    fixture.run_to(1_000);
    assert_eq!(sink.take(), [(2, 600, false)]);
}

#[test]
fn a_released_line_takes_its_debounce_along() {
    let fixture = Fixture::new();
    let line = debounced(&fixture, "down", 100);
    fixture.board.set("down", true).unwrap();
    assert_eq!(fixture.board.next_due(), Some(at(100)));
    drop(line);
    assert_eq!(fixture.board.next_due(), None);
    let line = debounced(&fixture, "down", 10);
    assert!(
        line.is_high().unwrap(),
        "it starts from the level that is there"
    );
    fixture.board.set("down", false).unwrap();
    assert_eq!(fixture.board.next_due(), Some(at(10)));
}

/// Debounce, worked out from the whole history at once.
fn debounce(edges: &[(u64, bool)], period: u64) -> Vec<(u64, bool)> {
    let mut stable = false;
    let mut settled = Vec::new();
    for (index, (time, high)) in edges.iter().enumerate() {
        let lasts = edges
            .get(index + 1)
            .is_none_or(|next| next.0 >= time + period);
        if lasts && *high != stable {
            stable = *high;
            settled.push((time + period, stable));
        }
    }
    settled
}

#[test]
fn debounce_agrees_with_its_definition_on_random_edges() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let period = 1 + random.below(50);
        let (mut time, mut high) = (0, false);
        let edges: Vec<_> = (0..200)
            .map(|_| {
                time += 1 + random.below(100);
                high = !high;
                (time, high)
            })
            .collect();
        let fixture = Fixture::new();
        let line = debounced(&fixture, "down", period);
        let (_interrupt, sink) = listen(&line, Edges::Both);
        fixture
            .board
            .play(
                "down",
                edges.clone().into_iter().map(|(t, high)| (at(t), high)),
            )
            .unwrap();
        while fixture.board.next_due().is_some() {
            // Steps of any size must make no difference.
            fixture
                .clock
                .advance(Duration::from_nanos(random.below(500)));
            fixture.board.run_due(fixture.clock.now());
        }
        let seen: Vec<_> = sink
            .take()
            .into_iter()
            .map(|(_, t, high)| (t, high))
            .collect();
        assert_eq!(seen, debounce(&edges, period), "seed {seed}");
    }
}

#[test]
fn streams_agree_with_a_sort_on_random_input() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let fixture = Fixture::new();
        let log = fixture.record();
        let mut expected = Vec::new();
        for (number, line) in ["up", "down", "float"].into_iter().enumerate() {
            // The first edge of each stream changes the level, so all do.
            let (mut time, mut high) = (0, line == "up");
            let edges: Vec<_> = (0..100)
                .map(|_| {
                    time += random.below(20);
                    high = !high;
                    (time, high)
                })
                .collect();
            expected.extend(edges.iter().map(|(t, high)| (*t, number, line, *high)));
            fixture
                .board
                .play(line, edges.into_iter().map(|(t, high)| (at(t), high)))
                .unwrap();
        }
        expected.sort_by_key(|(t, number, ..)| (*t, *number));
        fixture.run_to(10_000);
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(t, _, line, high)| (line.to_owned(), high, t))
            .collect();
        assert_eq!(*log.lock(), expected, "seed {seed}");
    }
}

#[test]
fn a_player_plays_what_is_due_at_its_own_time() {
    let fixture = Fixture::new();
    let log = fixture.record();
    let player = fixture.board.spawn_player().unwrap();
    fixture
        .board
        .play("down", [(at(10), true), (at(20), false)])
        .unwrap();
    fixture.clock.advance_to(at(1_000));
    wait_for(|| log.lock().len() == 2);
    let times: Vec<_> = log.lock().iter().map(|change| change.2).collect();
    assert_eq!(times, [10, 20]);
    // Something earlier than what it waits for wakes it.
    fixture.board.play("down", [(at(1_000_000), true)]).unwrap();
    fixture.board.play("up", [(at(1_000), false)]).unwrap();
    wait_for(|| log.lock().len() == 3);
    assert_eq!(log.lock()[2], ("up".to_owned(), false, 1_000));
    player.stop();
    assert_eq!(fixture.board.next_due(), Some(at(1_000_000)));
}

#[test]
fn a_player_ends_debounces_that_others_begin() {
    let fixture = Fixture::new();
    let line = debounced(&fixture, "down", 100);
    let (_interrupt, sink) = listen(&line, Edges::Both);
    let _player = fixture.board.spawn_player().unwrap();
    fixture.board.set("down", true).unwrap();
    fixture.clock.advance_to(at(100));
    wait_for(|| !sink.seen.lock().is_empty());
    assert_eq!(sink.take(), [(1, 100, true)]);
}

#[test]
fn a_player_keeps_real_time() {
    let clock = Arc::new(SystemClock);
    let lines = vec![loopgate_devices::sim::SimLineConfig::new(
        "down",
        loopgate_devices::sim::Pull::Down,
    )];
    let board = loopgate_devices::sim::SimBoard::new(clock.clone(), lines);
    let log = Arc::new(parking_lot::Mutex::new(Vec::new()));
    board.observe({
        let log = Arc::clone(&log);
        move |change| log.lock().push((change.timestamp, SystemClock.now()))
    });
    let _player = board.spawn_player().unwrap();
    let start = clock.now().as_nanos();
    let schedule: Vec<_> = (1..=5).map(|n| at(start + n * 2_000_000)).collect();
    let edges: Vec<_> = schedule
        .iter()
        .enumerate()
        .map(|(n, t)| (*t, n % 2 == 0))
        .collect();
    board.play("down", edges).unwrap();
    wait_for(|| log.lock().len() == 5);
    let log = log.lock();
    assert_eq!(log.iter().map(|(t, _)| *t).collect::<Vec<_>>(), schedule);
    assert!(
        log.iter().all(|(scheduled, applied)| applied >= scheduled),
        "never early"
    );
}

#[test]
fn a_player_that_cannot_keep_up_can_be_dropped() {
    let fixture = Fixture::new();
    fixture.clock.advance_to(at(u64::MAX));
    let player = fixture.board.spawn_player().unwrap();
    let without_end = (0..).map(|n| (at(n), n % 2 == 0));
    fixture.board.play("down", without_end).unwrap();
    let edges = || {
        let lines = fixture.board.show();
        lines.iter().find(|line| line.name == "down").unwrap().edges
    };
    wait_for(|| edges() > 0);
    player.stop();
    let at_the_end = edges();
    fixture.board.set("up", false).unwrap();
    assert_eq!(edges(), at_the_end);
}

#[test]
fn a_player_may_be_dropped_by_an_observer() {
    let fixture = Fixture::new();
    let player = parking_lot::Mutex::new(Some(fixture.board.spawn_player().unwrap()));
    fixture.board.observe(move |_| drop(player.lock().take()));
    fixture.board.play("down", [(at(0), true)]).unwrap();
    fixture.board.set("up", false).unwrap();
    wait_for(|| fixture.board.spawn_player().is_ok());
}

#[test]
fn everything_at_once_ends() {
    const ROUNDS: u64 = 1_000;
    let fixture = Fixture::new();
    let line = debounced(&fixture, "up", 50);
    let (interrupt, sink) = listen(&line, Edges::Both);
    let player = fixture.board.spawn_player().unwrap();
    let (board, clock) = (&fixture.board, &fixture.clock);
    thread::scope(|scope| {
        scope.spawn(|| (0..ROUNDS).for_each(|n| board.set("up", n % 2 == 0).unwrap()));
        scope.spawn(|| (0..ROUNDS).for_each(|n| drop(board.play("up", [(at(n * 9), true)]))));
        scope.spawn(|| (0..ROUNDS).for_each(|_| clock.advance(Duration::from_nanos(17))));
        scope.spawn(|| (0..ROUNDS).for_each(|_| board.run_due(clock.now())));
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                interrupt.disable();
                interrupt.enable();
            }
        });
        scope.spawn(|| {
            for n in 0..ROUNDS {
                let held = fixture.output("down", n % 2 == 0);
                held.set(n % 3 == 0).unwrap();
                board.unobserve(board.observe(|_| ()));
            }
        });
    });
    drop(player);
    interrupt.unregister();
    let seen = sink.take();
    assert!(
        seen.iter()
            .zip(1..)
            .all(|((sequence, ..), n)| *sequence == n),
        "no gaps"
    );
    assert!(
        seen.windows(2).all(|pair| pair[0].1 <= pair[1].1),
        "time does not go back"
    );
}

#[test]
fn a_board_has_one_player() {
    let fixture = Fixture::new();
    let player = fixture.board.spawn_player().unwrap();
    let error = fixture.board.spawn_player().err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    drop(player);
    fixture.board.spawn_player().unwrap().stop();
}
