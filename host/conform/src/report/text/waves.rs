//! Lines around a moment, drawn with characters.

use std::ops::RangeInclusive;

use super::super::axis::{self, Axis, Sizes, level_before, within};
use super::super::{ScenarioResult, Wave, span};
use super::cut;

/// The axis counts in hundredths of a column.
const COLUMN: u64 = 100;
const WIDTH: usize = 62;
const NAME: usize = 13;
const SIZES: Sizes = Sizes {
    interval: 2 * COLUMN,
    quiet: 6 * COLUMN,
    fill: (WIDTH as u64 - 1) * COLUMN,
    most: (WIDTH as u64 - 1) * COLUMN,
};
/// How many edges and steps stand before the moment, and how many after it.
const BEFORE: usize = 12;
const AFTER: usize = 6;
/// The most lines that are drawn.
const LINES: usize = 16;

/// What the lines were around that time; nothing where there are none.
pub(super) fn around(scenario: &ScenarioResult, at_ns: u64) -> Vec<String> {
    if scenario.waves.is_empty() {
        return Vec::new();
    }
    let points = axis::points(scenario);
    let at = points.partition_point(|&point| point < at_ns);
    let first = at.saturating_sub(BEFORE);
    let end = (at + AFTER + 1).min(points.len());
    let points = &points[first.min(end - 1)..end];
    let times = points[0]..=points[points.len() - 1];
    let interval = axis::interval(scenario.waves.values(), &times);
    let axis = Axis::new(points, interval, SIZES);
    let mut lines = Vec::new();
    for (name, wave) in scenario.waves.iter().take(LINES) {
        let (high, low) = drawn(wave, &axis, &times);
        lines.push(format!("{:NAME$}{high}", cut(name, NAME - 1)));
        lines.push(format!("{:NAME$}{low}", ""));
    }
    lines.push(format!("{:NAME$}{}", "", times_of(&axis, at_ns)));
    lines.extend(legend(&lines, scenario.waves.len()));
    lines
}

/// The two halves of a line.
fn drawn(wave: &Wave, axis: &Axis, times: &RangeInclusive<u64>) -> (String, String) {
    let mut edges = vec![0_usize; column(axis.width()) + 1];
    for &change in within(wave, times) {
        edges[column(axis.x(change))] += 1;
    }
    let mut level = level_before(wave, *times.start());
    let (mut high, mut low) = (String::new(), String::new());
    for (at, &edges) in edges.iter().enumerate() {
        let flat = if is_quiet(axis, at) { '┄' } else { '─' };
        let (above, below) = match (edges, level) {
            (0, true) => (flat, ' '),
            (0, false) => (' ', flat),
            (1, true) => ('┐', '└'),
            (1, false) => ('┌', '┘'),
            _ => ('▒', '▒'),
        };
        high.push(above);
        low.push(below);
        level ^= !edges.is_multiple_of(2);
    }
    (high, low)
}

fn is_quiet(axis: &Axis, column: usize) -> bool {
    let x = column as u64 * COLUMN;
    let mut quiet = axis.pieces().iter().filter(|piece| piece.quiet);
    quiet.any(|piece| piece.x < x && x + COLUMN <= piece.x + piece.width)
}

/// The times of the moment and, where there is room, of what stands around it.
fn times_of(axis: &Axis, at_ns: u64) -> String {
    let mut row = Row(vec![' '; WIDTH + 1]);
    row.put(column(axis.x(at_ns)), '✗', at_ns);
    for piece in axis.pieces() {
        row.put(column(piece.x), '╵', piece.from);
    }
    if let Some(last) = axis.pieces().last() {
        row.put(column(last.x + last.width), '╵', last.to);
    }
    let row: String = row.0.into_iter().collect();
    row.trim_end().to_owned()
}

struct Row(Vec<char>);

impl Row {
    /// Right of its place, else left of it, else not at all.
    fn put(&mut self, column: usize, mark: char, time: u64) {
        let right = format!("{mark}{}", span::exact(time));
        let left = format!("{}{mark}", span::exact(time));
        let width = right.chars().count();
        let _ = self.write(column, &right)
            || (column + 1)
                .checked_sub(width)
                .is_some_and(|first| self.write(first, &left));
    }

    fn write(&mut self, first: usize, text: &str) -> bool {
        let width = text.chars().count();
        let around = first.saturating_sub(1)..(first + width + 1).min(self.0.len());
        let free = first + width <= self.0.len() && self.0[around].iter().all(|&c| c == ' ');
        if free {
            for (place, c) in self.0[first..].iter_mut().zip(text.chars()) {
                *place = c;
            }
        }
        free
    }
}

fn legend(lines: &[String], all: usize) -> Option<String> {
    let has = |c| lines.iter().any(|line| line.contains(c));
    let mut words = Vec::new();
    if has('┄') {
        words.push("┄ quiet, drawn short".to_owned());
    }
    if has('▒') {
        words.push("▒ more edges than fit".to_owned());
    }
    if all > LINES {
        words.push(format!("{} more lines", all - LINES));
    }
    (!words.is_empty()).then(|| format!("{:NAME$}({})", "", words.join("; ")))
}

fn column(x: u64) -> usize {
    usize::try_from(x / COLUMN).map_or(WIDTH, |column| column.min(WIDTH))
}
