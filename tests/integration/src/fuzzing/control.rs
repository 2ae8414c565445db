//! The control protocol, from both ends.

use crate::{PATIENCE, cache};
use loopgate::board_file::ClockKind;
use loopgate::control::{Claim, Client, Place, Request, Response, Server};
use loopgate::{Board, BoardFile};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, OnceLock};

/// The first byte says which end gets the others.
pub fn control(bytes: &[u8]) {
    let Some((&end, bytes)) = bytes.split_first() else {
        return;
    };
    if end & 1 == 0 {
        host(bytes);
    } else {
        client(bytes);
    }
}

/// A host gets them, as from a client that closes then: it answers each line,
/// one line each, until it cannot go on.
fn host(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        read_again(line);
    }
    let mut stream = UnixStream::connect(server().path()).expect("the host listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    // It may have closed before all is written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answers = Vec::new();
    stream
        .read_to_end(&mut answers)
        .expect("it ends the answers");
    let asked = bytes.split(|&byte| byte == b'\n').count() - 1;
    let answers: Vec<_> = answers.split_inclusive(|&byte| byte == b'\n').collect();
    assert_eq!(answers.len(), asked, "lines asked, lines answered");
    for answer in answers {
        let read = serde_json::from_slice::<Response>(answer);
        assert!(read.is_ok(), "{}", String::from_utf8_lossy(answer));
    }
}

/// What was read is what is written.
fn read_again(line: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(line) else {
        return;
    };
    let written = serde_json::to_vec(&request).expect("it is written as JSON");
    let again = serde_json::from_slice::<Request>(&written).expect("it is read again");
    assert_eq!(request, again);
}

/// A client gets them, as from a host that closes then.
fn client(bytes: &[u8]) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = place.path().join("s");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("the client comes");
            // It may have gone before all is written.
            let _ = stream.write_all(bytes);
        });
        let mut client = Client::connect(&Place::at(&path)).expect("it listens");
        match client.ask(&Request::Status) {
            Ok(response) => {
                let written = serde_json::to_vec(&response).expect("it is written as JSON");
                let again = serde_json::from_slice::<Response>(&written);
                assert!(again.is_ok(), "{}", String::from_utf8_lossy(&written));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

/// A host for all inputs: a board without drivers, which forgets most of what it
/// is asked.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let serve = || {
        let text = "[board]\nbackend = \"sim\"\n[[board.line]]\nname = \"GPIO1\"\n";
        let file = BoardFile::parse(text, "/board/fuzz.toml").expect("it is a board file");
        let board = Board::builder()
            .board(file)
            .clock(ClockKind::Virtual)
            .without_cache()
            .without_crash_reports()
            .build()
            .expect("a board");
        let claim = Claim::take(&Place::at(cache().join("s"))).expect("it is free");
        Server::open(claim, Arc::new(board)).expect("a socket")
    };
    SERVER.get_or_init(serve)
}
