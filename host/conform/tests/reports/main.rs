//! Every format of the report, read again by what reads it elsewhere.

mod fixture;
mod html;
mod json;
mod junit;
mod text;

use loopgate_conform::Report;

/// What a driver may put into its log to be something else than text.
const HOSTILE: &str = "</script><script>alert(1)</script>\"' onload='x' --> ]]> &lt;\u{0}\u{1b}[2J\
                       \u{9b}2J\u{202e}\u{fffe}\u{ffff}\u{7f}\r\n\tend";

fn all() -> Vec<Report> {
    vec![
        fixture::mixed(),
        fixture::empty(),
        fixture::conforming(),
        fixture::hostile(HOSTILE),
        fixture::hostile(""),
        fixture::busy(1_000),
        fixture::extreme(),
    ]
}
