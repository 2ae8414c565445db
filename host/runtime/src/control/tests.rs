//! The socket with a stand-in for the board.

use super::*;
use crate::Cancel;
use crate::status::Status;
use parking_lot::{Condvar, Mutex};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Says back what it was asked, or waits, or panics.
#[derive(Default)]
struct Echo {
    held: Mutex<bool>,
    released: Condvar,
    waiting: Mutex<u32>,
}

impl Echo {
    /// Returns once a request waits.
    fn waits(&self) {
        let limit = Instant::now() + Duration::from_secs(20);
        while *self.waiting.lock() == 0 {
            assert!(Instant::now() < limit, "no request came");
            std::thread::yield_now();
        }
    }
}

impl Serve for Echo {
    fn serve(&self, request: Request, _: &Cancel) -> Response<Status> {
        match request {
            Request::SimSet { line, .. } if line == "panic" => panic!("as the test asked"),
            Request::SimSet { line, .. } if line == "wait" => {
                *self.waiting.lock() += 1;
                let mut held = self.held.lock();
                while *held {
                    self.released.wait(&mut held);
                }
                Response::Done
            }
            Request::Call(call) => Response::Reply {
                scalar: call.scalars.iter().sum(),
                data: call.data,
            },
            _ => Response::Done,
        }
    }
}

struct Scene {
    directory: tempfile::TempDir,
    echo: Arc<Echo>,
    server: Server,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let echo = Arc::new(Echo::default());
        let server = Claim::take(&Place::at(directory.path().join("s"))).unwrap();
        let server = Server::open(server, echo.clone()).unwrap();
        Self {
            directory,
            echo,
            server,
        }
    }

    fn place(&self) -> Place {
        Place::at(self.server.path())
    }

    fn client(&self) -> Client {
        Client::connect(&self.place()).unwrap()
    }

    fn stream(&self) -> UnixStream {
        let stream = UnixStream::connect(self.server.path()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }
}

fn set(line: &str) -> Request {
    Request::SimSet {
        line: line.to_owned(),
        high: true,
    }
}

fn call() -> Call {
    Call {
        service: "s".into(),
        selector: Selector::Name("n".into()),
        scalars: vec![u64::MAX - 1, 1],
        data: vec![0, 255],
        attempt: false,
        immediate: false,
        timeout_ms: 1000,
        reply_max: 10,
    }
}

fn line(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

fn opened(path: &Path) -> Result<Server, ControlError> {
    Server::open(Claim::take(&Place::at(path))?, Arc::new(Echo::default()))
}

#[test]
fn requests_on_one_connection_are_answered_in_turn() {
    let scene = Scene::new();
    let mut client = scene.client();
    for _ in 0..3 {
        let reply = client.ask(&Request::Call(call())).unwrap();
        let Response::Reply { scalar, data } = reply else {
            panic!("{reply:?}")
        };
        assert_eq!((scalar, data), (u64::MAX, vec![0, 255]));
        assert!(matches!(client.ask(&set("GPIO1")).unwrap(), Response::Done));
    }
}

#[test]
fn a_second_host_is_told_of_the_first() {
    let scene = Scene::new();
    let error = opened(scene.server.path()).err().unwrap().to_string();
    assert!(
        error.contains(&format!("(process {})", std::process::id())),
        "{error}"
    );
    assert!(error.contains("--socket"), "{error}");
    scene.client().ask(&set("still served")).unwrap();
}

#[test]
fn a_host_without_a_lock_is_left_alone_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    assert!(matches!(opened(&path), Err(ControlError::InUse { .. })));
}

#[test]
fn a_dead_hosts_socket_is_replaced_and_other_files_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    drop(opened(&path).unwrap());
    assert!(!path.exists());
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(opened(&path), Err(ControlError::NotSocket { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn nobody_and_nowhere_are_errors_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = Client::connect(&Place::at(directory.path().join("s")))
        .err()
        .unwrap()
        .to_string();
    assert!(nobody.contains("loopgate run BOARD"), "{nobody}");
    let nowhere = opened(&directory.path().join("missing/s"))
        .err()
        .unwrap()
        .to_string();
    assert!(nowhere.contains("--socket"), "{nowhere}");
}

#[test]
fn what_cannot_be_read_is_answered_and_the_connection_goes_on() {
    let scene = Scene::new();
    let mut stream = scene.stream();
    let deep = "[".repeat(100_000);
    let wrong: [&[u8]; 8] = [
        b"",
        b"hello",
        b"{}",
        b"{\"request\":\"reboot\"}",
        b"{\"request\":\"sim-set\",\"line\":\"a\",\"high\":true,\"more\":1}",
        b"{\"request\":\"call\",\"service\":\"s\",\"selector\":1,\"data\":\"abc\",\"timeout-ms\":1,\"reply-max\":1}",
        b"\xff\xfe\"",
        deep.as_bytes(),
    ];
    for request in wrong {
        stream.write_all(request).unwrap();
        stream.write_all(b"\n").unwrap();
        let answer = line(&stream);
        assert!(
            answer.starts_with("{\"error\":{\"code\":\"bad-argument\""),
            "{answer}"
        );
    }
    stream
        .write_all(b"{\"request\":\"sim-set\",\"line\":\"a\",\"high\":true}\n")
        .unwrap();
    assert_eq!(line(&stream), "\"done\"\n");
}

#[test]
fn an_endless_line_ends_its_own_connection_alone() {
    let scene = Scene::new();
    let mut stream = scene.stream();
    let bytes = vec![b'x'; REQUEST_MAX + 1];
    // The host hangs up as soon as the bound is reached.
    let _ = stream.write_all(&bytes);
    let answer = line(&stream);
    assert!(answer.contains("longer than 1048576 bytes"), "{answer}");
    scene.client().ask(&set("still served")).unwrap();
}

#[test]
fn a_request_that_waits_or_panics_disturbs_nobody_else() {
    let scene = Scene::new();
    *scene.echo.held.lock() = true;
    let mut waiting = scene.stream();
    waiting
        .write_all(b"{\"request\":\"sim-set\",\"line\":\"wait\",\"high\":true}\n")
        .unwrap();
    let mut panicking = scene.client();
    assert!(matches!(
        panicking.ask(&set("panic")),
        Err(ControlError::Broken { .. })
    ));
    scene.client().ask(&set("still served")).unwrap();
    *scene.echo.held.lock() = false;
    scene.echo.released.notify_all();
    assert_eq!(line(&waiting), "\"done\"\n");
}

#[test]
fn there_is_an_end_to_connections_and_each_that_closes_makes_room() {
    let scene = Scene::new();
    let mut open: Vec<_> = (0..128).map(|_| scene.client()).collect();
    for client in &mut open {
        client.ask(&set("one each")).unwrap();
    }
    let Response::Error(error) = scene.client().ask(&set("one too many")).unwrap() else {
        panic!("admitted")
    };
    assert_eq!(error.code, ErrorCode::NoResources);
    assert!(error.message.contains("128 connections"), "{error}");
    open.pop();
    let limit = Instant::now() + Duration::from_secs(20);
    // The host notices the end of a connection in its own time.
    while !matches!(scene.client().ask(&set("room")), Ok(Response::Done)) {
        assert!(Instant::now() < limit, "no room was made");
        std::thread::yield_now();
    }
}

#[test]
fn closing_ends_idle_connections_and_takes_the_socket_away() {
    let scene = Scene::new();
    let mut idle = scene.client();
    idle.ask(&set("a")).unwrap();
    let place = scene.place();
    drop(scene.server);
    assert!(matches!(
        idle.ask(&set("b")),
        Err(ControlError::Broken { .. })
    ));
    assert!(matches!(
        Client::connect(&place),
        Err(ControlError::Nobody { .. })
    ));
    drop(opened(place.path()).unwrap());
    drop(scene.directory);
}

#[test]
fn closing_lets_an_answer_that_is_being_made_go_out() {
    let scene = Scene::new();
    *scene.echo.held.lock() = true;
    let mut waiting = scene.stream();
    waiting
        .write_all(b"{\"request\":\"sim-set\",\"line\":\"wait\",\"high\":true}\n")
        .unwrap();
    scene.echo.waits();
    let server = scene.server;
    let closer = std::thread::spawn(move || drop(server));
    let limit = Instant::now() + Duration::from_secs(20);
    while scene.directory.path().join("s").exists() {
        assert!(Instant::now() < limit, "the socket stays");
        std::thread::yield_now();
    }
    *scene.echo.held.lock() = false;
    scene.echo.released.notify_all();
    assert_eq!(line(&waiting), "\"done\"\n");
    closer.join().unwrap();
}

#[test]
fn calls_are_held_to_the_sockets_bounds() {
    let accepted = <(String, board::Request)>::try_from(call()).unwrap().1;
    assert_eq!(accepted.scalars, [u64::MAX - 1, 1, 0, 0]);
    for (wrong, says) in [
        (
            Call {
                scalars: vec![0; 5],
                ..call()
            },
            "at most 4 numbers",
        ),
        (
            Call {
                timeout_ms: u64::MAX,
                ..call()
            },
            "a timeout is at most 3600 s",
        ),
        (
            Call {
                reply_max: u32::MAX,
                ..call()
            },
            "a reply has at most",
        ),
    ] {
        let error = <(String, board::Request)>::try_from(wrong).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadArgument);
        assert!(error.message.contains(says), "{error}");
    }
}
