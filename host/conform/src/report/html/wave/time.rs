//! The time above the lines: when each span begins, round times from there, and how long it
//! is quiet.

use std::fmt::Write as _;

use super::super::super::axis::Piece;
use super::super::super::span;
use super::{CHARACTER, Drawing, ROW, SIDE, TOP, px};

/// How far marked times are apart, at least.
const STEP: u64 = 640;

/// A time that is marked.
struct Tick {
    x: u64,
    label: String,
    class: &'static str,
}

impl Drawing<'_> {
    pub(super) fn quiet_spans(&self) -> String {
        let (y, height) = (px(TOP - 20), px(ROW * self.lines.len() as u64 + 20));
        let base = px(TOP - 50);
        let quiet = self.axis.pieces().iter().filter(|piece| piece.quiet);
        let quiet = quiet.map(|piece| {
            let (x, width) = (px(piece.x), px(piece.width));
            let middle = px(piece.x + piece.width / 2);
            let length = span::rough(piece.to - piece.from);
            let fits = length.len() as u64 * CHARACTER <= piece.width;
            let length = if fits { &*length } else { "" };
            format!(
                "<rect class=\"quiet\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\
                 <text class=\"quiet\" x=\"{middle}\" y=\"{base}\">{length}</text>\n"
            )
        });
        quiet.collect()
    }

    /// With `id`, each span can be linked to.
    pub(super) fn time_axis(&self, id: Option<&str>) -> String {
        let bottom = px(TOP + ROW * self.lines.len() as u64);
        let end = self.axis.width() + SIDE;
        let mut axis = String::new();
        let mut free = 0;
        let spans = self.axis.pieces().iter().enumerate();
        for (nth, piece) in spans.filter(|(_, piece)| !piece.quiet) {
            let id = id.map_or(String::new(), |id| format!(" id=\"{id}-{nth}\""));
            // Writing to a `String` does not fail.
            let _ = write!(axis, "<g{id}>");
            for Tick { x, label, class } in self.ticks(piece) {
                let at = px(x);
                let _ = write!(axis, "<path class=\"{class}\" d=\"M{at} 15V{bottom}\"/>");
                let right = x + label.len() as u64 * CHARACTER;
                if x >= free && right <= end {
                    free = right + 2 * CHARACTER;
                    let _ = write!(
                        axis,
                        "<text class=\"{class}\" x=\"{at}\" y=\"11\">{label}</text>"
                    );
                }
            }
            axis += "</g>\n";
        }
        axis
    }

    fn ticks(&self, piece: &Piece) -> impl Iterator<Item = Tick> {
        let step = self.axis.round_span(STEP);
        let (from, to) = (piece.from, piece.to);
        let after = (0..).map_while(move |nth: u64| step.checked_mul(nth));
        let after = after.take_while(move |&after| after <= to - from);
        after.map(move |after| Tick {
            x: self.axis.x(from + after),
            label: match after {
                0 => span::exact(from),
                _ if from == 0 => span::exact(after),
                _ => format!("+{}", span::exact(after)),
            },
            class: if after == 0 { "begin" } else { "tick" },
        })
    }
}
