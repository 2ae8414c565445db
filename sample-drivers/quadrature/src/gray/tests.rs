use super::Pin::{A, B};
use super::*;

/// The count and the errors after these changes, one a microsecond.
fn decode(changes: &[(Pin, bool)]) -> (i64, u64) {
    let edges = changes.iter().zip(0..);
    let edges: Vec<_> = edges
        .map(|(&(pin, high), at)| Edge {
            at: at * 1_000,
            pin,
            high,
        })
        .collect();
    let mut decoder = Decoder::new(false, false);
    decoder.decode(&edges);
    (decoder.count(), decoder.errors())
}

const TURN: [(Pin, bool); 4] = [(A, true), (B, true), (A, false), (B, false)];
const BACK: [(Pin, bool); 4] = [(B, true), (A, true), (B, false), (A, false)];

#[test]
fn a_turn_is_four_steps_and_back_again_none() {
    assert_eq!(decode(&TURN), (4, 0));
    assert_eq!(decode(&BACK), (-4, 0));
    assert_eq!(decode(&[TURN, BACK].concat()), (0, 0));
    assert_eq!(decode(&TURN.repeat(1_000)), (4_000, 0));
}

#[test]
fn a_contact_that_bounces_counts_nothing() {
    let bounce = [(A, true), (A, false)].repeat(50);
    assert_eq!(decode(&bounce), (0, 0));
    let mut step = bounce;
    step.push((A, true));
    assert_eq!(decode(&step), (1, 0));
}

#[test]
fn both_pins_at_one_time_are_an_error_and_no_step() {
    let edge = |pin, high| Edge { at: 5, pin, high };
    let mut decoder = Decoder::new(false, false);
    decoder.decode(&[edge(A, true), edge(B, true)]);
    assert_eq!((decoder.count(), decoder.errors()), (0, 1));
    // It knows where it is now.
    decoder.decode(&[Edge {
        at: 6,
        ..edge(A, false)
    }]);
    assert_eq!((decoder.count(), decoder.errors()), (1, 1));
}

#[test]
fn an_edge_that_was_missed_is_no_step() {
    assert_eq!(decode(&[(A, true), (A, true)]), (1, 0));
}
