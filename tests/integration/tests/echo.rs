//! Bytes through a driver and back, over a real pseudo-terminal.

use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile};
use loopgate_integration::{Random, ask, cache, driver, entry};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[test]
fn what_is_echoed_comes_back_equal_while_clients_call() {
    const SIZE: usize = 64 << 20;
    const CHUNK: usize = 4096;
    let folder = tempfile::tempdir().unwrap();
    let rest = "provides = [\"serial-echo\"]\n[driver.serial]\nport = { pty = \"run/echo\", baud = 115200, buffer = \"64 KiB\" }";
    let text = format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("echo", &driver("serial_echo"), rest)
    );
    let file = BoardFile::parse(&text, folder.path().join("board.toml")).unwrap();
    let board = Board::builder()
        .board(file)
        .clock(ClockKind::Real)
        .cache_directory(cache().join("code"))
        .build()
        .unwrap();
    let mut writing = OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.path().join("run/echo"))
        .unwrap();
    let mut reading = writing.try_clone().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut calls = 0_u64;
                while !done.load(SeqCst) {
                    ask(&board, "serial-echo", "bytes");
                    calls += 1;
                }
                assert!(calls > 100, "{calls}");
            });
        }
        scope.spawn(move || {
            let mut random = Random(3);
            let mut bytes = [0; CHUNK];
            for _ in 0..SIZE / CHUNK {
                random.fill(&mut bytes);
                writing.write_all(&bytes).unwrap();
            }
        });
        let mut random = Random(3);
        let (mut sent, mut back) = ([0; CHUNK], [0; CHUNK]);
        for chunk in 0..SIZE / CHUNK {
            random.fill(&mut sent);
            reading.read_exact(&mut back).unwrap();
            if sent != back {
                done.store(true, SeqCst);
                panic!("chunk {chunk} came back different");
            }
        }
        done.store(true, SeqCst);
    });
    assert_eq!(ask(&board, "serial-echo", "bytes"), SIZE as u64);
    assert_eq!(board.status().drivers[0].ports["port"].bytes_lost, 0);
}
