//! What a board file can say of them.

use crate::support::drivers;
use loopgate::BoardFile;
use loopgate_integration::virtual_board;

fn refused(text: &str) -> String {
    let text = format!("[board]\nbackend = \"sim\"\n{text}");
    let error = BoardFile::parse(&text, "board.toml").unwrap_err();
    error.to_string()
}

#[test]
fn a_board_file_says_of_published_pins_what_can_be() {
    let good = drivers("", "provider", "");
    let file = format!("[board]\nbackend = \"sim\"\n{good}");
    BoardFile::parse(&file, "board.toml").unwrap();
    let stimulus = "[[board.stimulus]]\nat = \"1 s\"\nline = \"expander:P0\"\nlevel = \"high\"\n";
    let line = "[[board.line]]\nname = \"expander:P0\"\n";
    let plus = |pin: &str, more: &str| {
        let (before, after) = good.split_once(pin).unwrap();
        format!("{before}{pin}{more}{after}")
    };
    let table = [
        (
            good.replace("uses = [\"expander\"]", "uses = []"),
            "line `expander:P0` is a pin that `publish` publishes; add `expander` to the `uses` of `user`",
        ),
        (plus("edges = \"both\"", ", bias = \"pull-up\""), "has no `bias`; leave it out"),
        (plus("edges = \"both\"", ", debounce = \"1 ms\""), "has no `debounce`; leave it out"),
        (
            plus("edges = \"both\"", ", shared = true"),
            "has no `shared`; leave it out",
        ),
        (good.replace("expander:P0", "expander:"), "names no pin"),
        (good.replace("expander:P5", "expander:P0"), "a second time"),
        (format!("{stimulus}{good}"), "no line of the simulated board"),
        (format!("{line}{good}"), "no line of the simulated board"),
        (
            good.replacen("provides = [\"expander\"]", "provides = [\"expander\"]\ngpio = { own = { line = \"expander:P9\", direction = \"input\" } }", 1),
            "is a pin of its own",
        ),
    ];
    for (text, words) in table {
        let error = refused(&text);
        assert!(
            error.starts_with("board.toml:") && error.contains(words),
            "{error}"
        );
    }
    // Kernel lines may have a colon in their names, too.
    let board = virtual_board(good.replace("expander:P5", "chip:P5"));
    let lines: Vec<String> = board
        .sim()
        .show()
        .into_iter()
        .map(|line| line.name)
        .collect();
    assert_eq!(lines, ["chip:P5"], "nothing else is a line of the board");
}
