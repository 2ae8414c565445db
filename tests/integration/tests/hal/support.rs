//! The samples' own board, in virtual time.

use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, Builder, Request};
use loopgate_integration::root;

pub(crate) fn samples() -> Builder {
    let file = BoardFile::read(root().join("sample-drivers/crates.toml"))
        .unwrap_or_else(|error| panic!("{error}"));
    let board = Board::builder().board(file).clock(ClockKind::Virtual);
    board.cache_directory(loopgate_integration::cache().join("code"))
}

pub(crate) fn built(builder: Builder) -> Board {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

/// What a service answers to a selector, as text.
pub(crate) fn says(board: &Board, service: &str, selector: &str) -> String {
    let reply = board.call(service, Request::named(selector));
    let reply = reply.unwrap_or_else(|error| panic!("{service}: {error}"));
    String::from_utf8(reply.data).unwrap()
}

pub(crate) fn show(board: &Board, service: &str, text: &str) {
    let shown = board.call(service, Request::named("show").data(text));
    shown.unwrap_or_else(|error| panic!("{service}: {error}"));
}

pub(crate) fn is_high(board: &Board, line: &str) -> bool {
    let lines = board.sim().show();
    lines.iter().any(|one| one.name == line && one.high)
}
