//! Levels: pulls, drives, contention, and who may do what.

mod common;

use std::time::Duration;

use common::Fixture;
use loopgate_devices::gpio::{Bias, Direction, Drive, Edges, Error, GpioController, LineRequest};
use loopgate_devices::sim::DrivenBy;

fn state(fixture: &Fixture, line: &str) -> loopgate_devices::sim::SimLineState {
    fixture
        .board
        .show()
        .into_iter()
        .find(|state| state.name == line)
        .unwrap()
}

#[test]
fn a_line_rests_at_its_pull() {
    let fixture = Fixture::new();
    let levels: Vec<_> = fixture
        .board
        .show()
        .iter()
        .map(|s| (s.high, s.driven_by))
        .collect();
    assert_eq!(
        levels,
        [
            (true, DrivenBy::Pull),
            (false, DrivenBy::Pull),
            (false, DrivenBy::Nothing)
        ]
    );
}

#[test]
fn the_outside_drives_until_it_lets_go() {
    let fixture = Fixture::new();
    fixture.board.set("up", false).unwrap();
    assert_eq!(
        (state(&fixture, "up").high, state(&fixture, "up").driven_by),
        (false, DrivenBy::Outside)
    );
    fixture.board.release("up").unwrap();
    assert_eq!(
        (state(&fixture, "up").high, state(&fixture, "up").driven_by),
        (true, DrivenBy::Pull)
    );
    assert_eq!(state(&fixture, "up").edges, 2);
}

#[test]
fn a_floating_line_keeps_its_level() {
    let fixture = Fixture::new();
    fixture.board.set("float", true).unwrap();
    fixture.board.release("float").unwrap();
    assert_eq!(
        (
            state(&fixture, "float").high,
            state(&fixture, "float").driven_by
        ),
        (true, DrivenBy::Nothing)
    );
}

#[test]
fn a_request_brings_its_bias_and_takes_it_along() {
    let fixture = Fixture::new();
    let mut request = LineRequest::new("down", "test", Direction::Input);
    request.bias = Bias::PullUp;
    let line = fixture.board.request(&request).unwrap();
    assert!(line.is_high().unwrap());
    drop(line);
    assert!(!state(&fixture, "down").high);
}

#[test]
fn an_output_starts_at_its_level_without_a_glitch() {
    let fixture = Fixture::new();
    let log = fixture.record();
    let line = fixture.output("down", true);
    assert!(line.is_high().unwrap());
    line.set(true).unwrap();
    line.set(false).unwrap();
    assert_eq!(
        *log.lock(),
        [("down".to_owned(), true, 0), ("down".to_owned(), false, 0)]
    );
}

#[test]
fn active_low_turns_everything_over() {
    let fixture = Fixture::new();
    let mut request = LineRequest::new("up", "test", Direction::Output { initial: false });
    request.active_low = true;
    let line = fixture.board.request(&request).unwrap();
    assert!(!line.is_high().unwrap());
    assert!(state(&fixture, "up").high);
    line.set(true).unwrap();
    assert!(line.is_high().unwrap());
    assert!(!state(&fixture, "up").high);
    assert_eq!(
        state(&fixture, "up").direction,
        Direction::Output { initial: true }
    );
}

#[test]
fn an_open_drain_line_reads_what_others_make_of_it() {
    let fixture = Fixture::new();
    let mut request = LineRequest::new("up", "bus", Direction::Output { initial: true });
    request.drive = Drive::OpenDrain;
    let line = fixture.board.request(&request).unwrap();
    assert!(
        line.is_high().unwrap(),
        "the pull holds what the output lets go"
    );
    fixture.board.set("up", false).unwrap();
    assert!(!line.is_high().unwrap(), "someone else holds the bus");
    assert!(!state(&fixture, "up").contention);
    fixture.board.release("up").unwrap();
    line.set(false).unwrap();
    assert_eq!(state(&fixture, "up").driven_by, DrivenBy::Output);
}

#[test]
fn an_open_source_line_only_drives_high() {
    let fixture = Fixture::new();
    let mut request = LineRequest::new("down", "bus", Direction::Output { initial: false });
    request.drive = Drive::OpenSource;
    let line = fixture.board.request(&request).unwrap();
    assert_eq!(state(&fixture, "down").driven_by, DrivenBy::Pull);
    line.set(true).unwrap();
    assert_eq!(
        (
            state(&fixture, "down").high,
            state(&fixture, "down").driven_by
        ),
        (true, DrivenBy::Output)
    );
}

#[test]
fn contention_is_shown_and_the_output_counts() {
    let fixture = Fixture::new();
    let line = fixture.output("down", true);
    fixture.board.set("down", false).unwrap();
    let shown = state(&fixture, "down");
    assert!(shown.high && shown.contention && shown.contentions == 1);
    assert_eq!(shown.driven_by, DrivenBy::Output);
    line.set(false).unwrap();
    assert!(
        !state(&fixture, "down").contention,
        "both drive the same level"
    );
    line.set(true).unwrap();
    assert_eq!(state(&fixture, "down").contentions, 2);
    drop(line);
    assert_eq!(
        (
            state(&fixture, "down").contention,
            state(&fixture, "down").high
        ),
        (false, false)
    );
}

#[test]
fn an_output_made_an_input_lets_go() {
    let fixture = Fixture::new();
    let line = fixture.output("up", false);
    line.make_input().unwrap();
    assert!(line.is_high().unwrap());
    assert!(matches!(line.set(true), Err(Error::NotOutput { .. })));
    assert!(line.interrupt(Edges::Both).is_ok());
}

#[test]
fn a_line_has_one_holder_until_it_is_dropped() {
    let fixture = Fixture::new();
    let line = fixture.input("up");
    let request = LineRequest::new("up", "other", Direction::Input);
    let error = fixture.board.request(&request).err().unwrap();
    assert_eq!(
        error.to_string(),
        "line `up` is held by `test`; stop that, or use another line"
    );
    assert_eq!(fixture.board.lines()[0].consumer.as_deref(), Some("test"));
    drop(line);
    assert_eq!(fixture.board.lines()[0].consumer, None);
    fixture.board.request(&request).unwrap();
}

#[test]
fn errors_name_the_line_and_what_there_is() {
    let fixture = Fixture::new();
    let expected = "there is no line `GPIO99`; the board has `up`, `down`, `float`";
    assert_eq!(
        fixture.board.set("GPIO99", true).unwrap_err().to_string(),
        expected
    );
    assert_eq!(
        fixture.board.release("GPIO99").unwrap_err().to_string(),
        expected
    );
    assert_eq!(
        fixture.board.play("GPIO99", []).unwrap_err().to_string(),
        expected
    );
    let line = fixture.input("up");
    assert_eq!(
        line.set(true).unwrap_err().to_string(),
        "line `up` is an input and cannot be set; request it as an output"
    );
    let line = fixture.output("down", false);
    assert_eq!(
        line.interrupt(Edges::Both).err().unwrap().to_string(),
        "line `down` is an output and cannot interrupt; request it as an input"
    );
}

#[test]
fn requests_that_the_kernel_would_refuse_are_refused() {
    let fixture = Fixture::new();
    let output = LineRequest::new("up", "test", Direction::Output { initial: true });
    let input = LineRequest::new("up", "test", Direction::Input);
    let requests = [
        LineRequest {
            debounce: Some(Duration::from_millis(1)),
            ..output.clone()
        },
        LineRequest {
            edges: Some(Edges::Both),
            ..output
        },
        LineRequest {
            drive: Drive::OpenDrain,
            ..input
        },
    ];
    for request in requests {
        let error = fixture.board.request(&request).err().unwrap();
        assert!(matches!(error, Error::BadRequest { .. }), "{error}");
        assert!(error.to_string().contains("line `up`"));
    }
    assert_eq!(fixture.board.lines()[0].consumer, None);
}
