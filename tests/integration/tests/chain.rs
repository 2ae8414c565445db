//! Requests that follow one another: `block-cache`, which reads `ram-block` in
//! pieces. Each client is answered once, whatever happens on the way.

use loopgate::{Board, ErrorCode, Mode, Reply, Request, RequestError};
use loopgate_integration::{
    StopOnPanic, assert_running, driver, entry, guest, real_board, refused, until, virtual_board,
    with_another_provider,
};
use std::time::Duration;

/// A disk and a cache, with what their config says.
fn drivers(disk: &str, cache: &str) -> String {
    let disk = format!("provides = [\"ram-block\"]\nconfig = {{ {disk} }}");
    let cache =
        format!("provides = [\"block-cache\"]\nuses = [\"ram-block\"]\nconfig = {{ {cache} }}");
    entry("disk", &driver("ram_block"), &disk) + &entry("cache", &driver("block_cache"), &cache)
}

fn board(disk: &str, cache: &str) -> Board {
    virtual_board(drivers(disk, cache))
}

fn read(board: &Board, offset: u64, length: u64) -> Result<Reply, RequestError> {
    board.call("block-cache", reading(offset, length))
}

fn reading(offset: u64, length: u64) -> Request {
    let mut request = Request::named("read");
    request.scalars = [offset, length, 0, 0];
    request
}

fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

/// Fills the disk, `size` bytes, so that every place is told from the others.
fn fill(board: &Board, size: usize) {
    let bytes: Vec<u8> = (0..size).map(byte).collect();
    for (piece, bytes) in bytes.chunks(4096).enumerate() {
        let write = Request::named("write").scalar(piece as u64 * 4096);
        board.call("ram-block", write.data(bytes)).unwrap();
    }
}

/// Requests that the disk was asked.
fn asked(board: &Board) -> u64 {
    board.status().drivers[0].counts.commands
}

/// Requests received and sent that are not over, of the disk and the cache.
fn under_way(board: &Board) -> [(usize, usize); 2] {
    let status = board.status();
    [0, 1].map(|driver: usize| {
        let usage = status.drivers[driver].usage;
        (usage.requests, usage.submissions)
    })
}

fn assert_reads(board: &Board, offset: usize, length: usize, got: usize) {
    let reply = read(board, offset as u64, length as u64).unwrap();
    let expected: Vec<u8> = (offset..offset + got).map(byte).collect();
    assert_eq!(reply.scalar, got as u64, "{offset} {length}");
    assert_eq!(reply.data, expected, "{offset} {length}");
}

#[test]
fn a_read_is_put_together_of_pieces_and_kept() {
    for latency in [0, 3] {
        let board = board(
            &format!("size = \"4096\", latency-ms = \"{latency}\""),
            "piece = \"100\", keep = \"64\"",
        );
        fill(&board, 4096);
        for (offset, length) in [(0, 0), (0, 1), (99, 2), (150, 1000), (0, 4000), (4095, 1)] {
            assert_reads(&board, offset, length, length);
        }
        let before = asked(&board);
        let begun = board.now();
        assert_reads(&board, 7, 3900, 3900);
        assert_eq!(asked(&board), before, "all of it is kept");
        assert_eq!(board.now(), begun);
    }
}

#[test]
fn rule_148_a_short_piece_is_the_last() {
    for size in [0, 1, 99, 100, 101, 250, 999] {
        let config = format!("size = \"{size}\", latency-ms = \"1\"");
        let board = board(&config, "piece = \"100\", keep = \"0\"");
        fill(&board, size);
        let before = asked(&board);
        assert_reads(&board, 0, 1000, size);
        let pieces = size as u64 / 100 + 1;
        assert_eq!(asked(&board) - before, pieces, "none after the short one");
    }
}

#[test]
fn rule_148_a_failed_piece_ends_the_chain_at_every_stage() {
    for stage in 0..10 {
        let disk = format!("size = \"1000\", bad = \"{}\"", stage * 100 + 50);
        let board = board(&disk, "piece = \"100\", keep = \"0\"");
        let error = read(&board, 0, 1000).unwrap_err();
        assert_eq!(error.code, ErrorCode::Io);
        assert_eq!(asked(&board), stage + 1, "none after the failed one");
        // What ends before the bad place does not notice it.
        let before = read(&board, 0, stage * 100).unwrap();
        assert_eq!(before.scalar, stage * 100);
        assert_running(&board, "cache");
    }
}

/// A client that is answered while others are on their way is not mixed up
/// with them.
#[test]
fn rule_146_each_client_has_its_own_end_and_only_one() {
    const CLIENTS: usize = 8;
    let board = board(
        "size = \"4096\", latency-ms = \"1\"",
        "piece = \"64\", keep = \"2\"",
    );
    fill(&board, 4096);
    let outcomes = std::thread::scope(|scope| {
        let ask = |client: usize| {
            let board = &board;
            move || board.call("block-cache", reading(client as u64 * 100, 300))
        };
        let threads: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(ask(client)))
            .collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.collect::<Vec<_>>()
    });
    for (client, outcome) in outcomes.into_iter().enumerate() {
        let expected: Vec<u8> = (client * 100..client * 100 + 300).map(byte).collect();
        assert_eq!(outcome.unwrap().data, expected, "{client}");
    }
    assert_eq!(under_way(&board), [(0, 0), (0, 0)]);
}

/// The chain's client gives up between two pieces: the disk is told, and
/// nobody asks it for the rest.
#[test]
fn rule_146_a_client_that_gives_up_ends_the_chain() {
    let board = board("latency-ms = \"10\"", "piece = \"100\"");
    let patience = Mode::Run(Some(Duration::from_millis(35)));
    let error = refused(&board, "block-cache", reading(0, 10_000).mode(patience));
    assert_eq!(error.code, ErrorCode::TimedOut);
    board.run_for(Duration::from_secs(1));
    assert_eq!(asked(&board), 4);
    assert_eq!(under_way(&board), [(0, 0), (0, 0)]);
    assert_eq!(read(&board, 0, 10).unwrap().scalar, 10);
}

/// The disk ends under it: that is the answer, not silence.
#[test]
fn rule_146_the_end_of_the_lower_driver_is_the_answer() {
    for how in ["stop", "reload"] {
        let drivers = drivers("latency-ms = \"10\"", "piece = \"100\"");
        let board = real_board(with_another_provider(&drivers, "ram-block"));
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let wait = Mode::Run(Some(Duration::from_hours(1)));
                board.call("block-cache", reading(0, 40_000).mode(wait))
            });
            let _guard = StopOnPanic(&board);
            until("the chain has begun", || asked(&board) > 3);
            if how == "stop" {
                board.stop_driver("disk").unwrap();
            } else {
                board.reload("disk").unwrap();
            }
            let code = reading.join().unwrap().map_err(|error| error.code).err();
            assert_eq!(code, Some(ErrorCode::DriverDied), "{how}");
        });
        assert_running(&board, "cache");
    }
}

/// Ten thousand pieces from a disk that answers at once: each comes to the
/// chain as an event of its own, so that no stack grows.
#[test]
fn rule_149_a_long_chain_over_a_synchronous_driver_has_a_bounded_stack() {
    let board = board(
        "size = \"65536\", latency-ms = \"0\"",
        "piece = \"4\", keep = \"0\"",
    );
    fill(&board, 65536);
    let before = asked(&board);
    assert_reads(&board, 0, 40_000, 40_000);
    assert_eq!(asked(&board) - before, 10_000);
}

/// Other clients are served while the chain waits for its pieces.
#[test]
fn rule_149_the_gate_is_open_between_the_pieces() {
    let other = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    let board = real_board(drivers("latency-ms = \"10\"", "") + &other);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| read(&board, 0, 40_000));
        until("the chain has begun", || asked(&board) > 1);
        let mut add = Request::named("add");
        add.scalars = [2, 3, 0, 0];
        assert_eq!(board.call("echo", add).unwrap().scalar, 5);
        assert_eq!(reading.join().unwrap().unwrap().scalar, 40_000);
    });
}
