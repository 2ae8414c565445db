//! Components: what `loopgate check` finds out, and what a board makes of them.

use super::held;
use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, inspect};
use std::path::Path;
use std::time::Duration;

/// Inspects a component against a board that grants it one thing, and runs it
/// where it is a driver.
pub fn component(bytes: &[u8]) {
    let file = held(bytes);
    let board = board(file.path());
    match inspect(file.path(), Some(&board)) {
        Ok(inspection) => {
            assert_eq!(inspection.loads, inspection.cause.is_none());
            let told = serde_json::to_string(&inspection).expect("it is written as JSON");
            assert!(!told.is_empty());
            if inspection.loads {
                run(board);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn board(component: &Path) -> BoardFile {
    let text = format!(
        "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"fuzzed\"\ncomponent = \"{}\"\n\
         provides = [\"fuzzed\"]\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}\n\
         [driver.limits]\nstart = \"100 ms\"\n",
        component.display()
    );
    BoardFile::parse(&text, "/board/fuzz.toml").expect("it is a board file")
}

fn run(file: BoardFile) {
    let board = Board::builder()
        .board(file)
        .clock(ClockKind::Virtual)
        .without_cache()
        .without_crash_reports()
        .build()
        .expect("a board whose driver may fail");
    board.run_for(Duration::from_millis(1));
    for high in [true, false] {
        board.sim().set("IN", high).expect("the line is there");
        board.run_for(Duration::from_millis(1));
    }
    assert_eq!(board.status().drivers.len(), 1);
    board.shutdown();
}
