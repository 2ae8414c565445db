//! The whole of a long scenario in one width, to scale: where its lines are busy. A touch
//! leads to that place of the drawing.

use super::super::axis::within;
use super::wave::Drawing;

/// Into how many parts its time is divided.
const PARTS: u64 = 500;
/// From which width on a drawing has one, in tenths of a pixel.
const FROM: u64 = 12_000;
const LINE: u64 = 8;

pub(super) fn of(drawing: &Drawing<'_>, id: &str) -> String {
    if drawing.axis.width() < FROM {
        return String::new();
    }
    let lines = drawing.lines.iter().zip(0_u64..);
    let lines =
        lines.map(|((_, wave), nth)| busy(within(wave, &drawing.times), drawing, nth * LINE + 2));
    let busy: String = lines.collect();
    let height = drawing.lines.len() as u64 * LINE + 2;
    let missed = drawing.missed().take(100).map(|time| {
        let x = part(drawing, time);
        format!("M{x} 0h1v{height}h-1z")
    });
    let missed: String = missed.collect();
    let shown = height.clamp(24, 96);
    format!(
        "<p>All of it to scale; a touch leads there:</p>\n\
         <svg class=\"overview\" viewBox=\"0 0 {PARTS} {height}\" height=\"{shown}\" \
         preserveAspectRatio=\"none\"><path class=\"block\" d=\"{busy}\"/>\
         <path class=\"missed\" d=\"{missed}\"/>{}</svg>\n",
        links(drawing, id, height),
    )
}

/// The parts in which a line has edges.
fn busy(changes: &[u64], drawing: &Drawing<'_>, y: u64) -> String {
    let mut parts: Vec<u64> = changes.iter().map(|&time| part(drawing, time)).collect();
    parts.dedup();
    let runs = parts.chunk_by(|a, b| a + 1 == *b);
    let runs = runs.map(|run| {
        let (x, width, high) = (run[0], run.len(), LINE - 2);
        format!("M{x} {y}h{width}v{high}h-{width}z")
    });
    runs.collect()
}

/// A place to touch for each span between quiet ones, up to the next.
fn links(drawing: &Drawing<'_>, id: &str, height: u64) -> String {
    let spans = drawing.axis.pieces().iter().enumerate();
    let spans: Vec<_> = spans.filter(|(_, piece)| !piece.quiet).collect();
    let ends = spans
        .iter()
        .skip(1)
        .map(|(_, next)| part(drawing, next.from));
    let ends: Vec<u64> = ends.chain([PARTS]).collect();
    let links = spans.iter().zip(ends).map(|((nth, piece), end)| {
        let x = part(drawing, piece.from);
        let width = end.saturating_sub(x);
        if width == 0 {
            return String::new();
        }
        format!(
            "<a href=\"#{id}-{nth}\"><rect x=\"{x}\" width=\"{width}\" height=\"{height}\"/></a>"
        )
    });
    links.collect()
}

fn part(drawing: &Drawing<'_>, time: u64) -> u64 {
    let (from, to) = (*drawing.times.start(), *drawing.times.end());
    let passed = u128::from(time.saturating_sub(from)) * u128::from(PARTS);
    let part = passed / u128::from((to - from).max(1));
    (part as u64).min(PARTS - 1)
}
