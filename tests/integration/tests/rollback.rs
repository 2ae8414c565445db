//! Rule 16: a new version that does not get as far as the commit leaves the old
//! one as if nothing had been tried.

use loopgate::devices::gpio::{Direction, GpioController as _, LineRequest};
use loopgate::{Board, ErrorCode, Request};
use loopgate_integration::{assert_running, driver, entry, guest, logged, virtual_board};
use std::path::Path;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

struct Scene {
    board: Board,
    _component: tempfile::TempDir,
}

impl Scene {
    /// Work of every kind that waits, and then a `reload` with another
    /// component, or with this one; the error that it ended with.
    fn reloaded(config: &str, next: Option<&[u8]>) -> (Self, ErrorCode, String) {
        let component = tempfile::tempdir().unwrap();
        let path = component.path().join("driver.wasm");
        std::fs::copy(guest("probe_state"), &path).unwrap();
        let board = virtual_board(board_of(&path, config));
        assert_running(&board, "probe");
        let scene = Self {
            board,
            _component: component,
        };
        scene.board.run_for(MILLISECOND);
        scene.tell("set", 1);
        scene.tell("arm", 5_000_000);
        scene.tell("signal", 2);
        for high in [true, false, true] {
            scene.board.sim().set("IN", high).unwrap();
        }
        if let Some(next) = next {
            std::fs::write(&path, next).unwrap();
        }
        let before = scene.seen();
        let error = scene.board.reload("probe").unwrap_err();
        assert_eq!(scene.seen(), before, "{config}: {error}");
        assert!(error.message.contains("the old version goes on"), "{error}");
        (scene, error.code, error.message)
    }

    fn tell(&self, selector: &str, scalar: u64) {
        let request = Request {
            scalars: [scalar, 0, 0, 0],
            ..Request::named(selector)
        };
        self.board.call("state", request).unwrap();
    }

    /// Lines, services and counts.
    fn seen(&self) -> String {
        let mut lines = self.board.sim().show();
        // A line that was asked for is known from then on.
        lines.retain(|line| line.consumer.is_some() || line.edges > 0);
        let status = self.board.status();
        let driver = &status.drivers[0];
        let services: Vec<_> = driver
            .services
            .iter()
            .map(|s| (&s.name, s.enabled))
            .collect();
        let counts = (
            driver.counts.interrupts,
            driver.counts.lost,
            driver.counts.timeouts,
        );
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (&line.name, line.high, line.edges, &line.consumer))
            .collect();
        format!(
            "{lines:?} {services:?} {counts:?} {} {:?} {}",
            driver.generation, driver.state, driver.usage.sources
        )
    }

    /// All that waited arrives, when it is to, at the version that was there;
    /// and a good version could still take its place.
    fn goes_on(&self, what: &str) {
        let counts = || {
            let reply = self.board.call("state", Request::named("counts")).unwrap();
            String::from_utf8(reply.data).unwrap()
        };
        assert_eq!(counts(), "[0, 0, 0, 0, 0]", "{what}");
        self.board
            .run_for((5 * MILLISECOND).saturating_sub(Duration::from_nanos(1)));
        assert_eq!(counts(), "[3, 0, 2, 0, 0]", "{what}");
        self.board.run_for(Duration::from_nanos(1));
        assert_eq!(counts(), "[3, 1, 2, 0, 0]", "{what}");
        self.board.sim().set("IN", false).unwrap();
        self.tell("signal", 1);
        self.tell("arm", 1_000_000);
        self.board.run_for(10 * MILLISECOND);
        assert_eq!(counts(), "[4, 2, 3, 0, 0]", "{what}");
        let held = self.board.call("held", Request::named("now")).unwrap();
        assert_eq!(held.scalar, 0, "{what}");
    }
}

fn board_of(component: &Path, config: &str) -> String {
    let rest = format!(
        "provides = [\"state\", \"held\"]\nconfig = {{ {config} }}\n\
         [driver.limits]\nstart = \"100 ms\"\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}\n\
         out = {{ line = \"OUT\", direction = \"output\" }}\n\
         new = {{ line = \"NEW\", direction = \"output\" }}"
    );
    entry("probe", component, &rest)
}

#[test]
fn rule_16_whatever_the_new_version_does_wrong_the_old_one_goes_on() {
    for (config, words) in [
        ("start = \"traps\"", "(in `start`)"),
        ("restore = \"traps\"", "(in `restore-state`)"),
        ("start = \"spins\"", "limit `start`"),
        ("restore = \"spins\"", "limit `handler-cpu`"),
        ("start = \"refuses\"", "`start` refused"),
        ("restore = \"refuses\"", "`restore-state` refused"),
        ("restore = \"unsupported\"", "`loopgate stop probe`"),
        ("start = \"floods\"", "limit `handles`"),
        (
            "start = \"changes\", restore = \"traps\"",
            "(in `restore-state`)",
        ),
        (
            "start = \"drops\", restore = \"refuses\"",
            "`restore-state` refused",
        ),
        (
            "start = \"new\", restore = \"traps\"",
            "(in `restore-state`)",
        ),
        (
            "start = \"twice\", restore = \"traps\"",
            "(in `restore-state`)",
        ),
        (
            "start = \"other-terms\", restore = \"traps\"",
            "(in `restore-state`)",
        ),
    ] {
        let (scene, code, message) = Scene::reloaded(config, None);
        assert_eq!(code, ErrorCode::Aborted, "{config}: {message}");
        assert!(message.contains(words), "{config}: {message}");
        assert!(logged(&scene.board, "probe", words), "{config}");
        scene.goes_on(config);
    }
}

#[test]
fn rule_16_a_state_that_lies_is_refused_by_who_reads_it() {
    for how in ["lies", "lies-quietly"] {
        let (scene, code, _) = Scene::reloaded(&format!("save = \"{how}\""), None);
        assert_eq!(code, ErrorCode::Aborted, "{how}");
        scene.goes_on(how);
    }
}

#[test]
fn rule_16_a_version_that_will_not_be_replaced_goes_on() {
    for (how, expected, words) in [
        ("busy", ErrorCode::Busy, "`save-state` says `busy`"),
        ("io", ErrorCode::Io, "`save-state` says `io`"),
        (
            "huge",
            ErrorCode::NoResources,
            "limit `state`: the state has 614403 B",
        ),
    ] {
        let (scene, code, message) = Scene::reloaded(&format!("save = \"{how}\""), None);
        assert_eq!(code, expected, "{how}: {message}");
        assert!(message.contains(words), "{how}: {message}");
        scene.goes_on(how);
    }
}

#[test]
fn rule_16_another_world_and_one_that_asks_for_too_much_change_nothing() {
    let world = "(component (import \"loopgate:driver/gpio@0.2.0\" (instance)))";
    let world = wat::parse_str(world).unwrap();
    let (scene, code, message) = Scene::reloaded("", Some(&world));
    assert_eq!(code, ErrorCode::BadArgument, "{message}");
    scene.goes_on("another world");
    let greedy = std::fs::read(driver("serial_echo")).unwrap();
    let (scene, code, message) = Scene::reloaded("", Some(&greedy));
    assert_eq!(code, ErrorCode::Aborted, "{message}");
    assert!(message.contains("not-granted"), "{message}");
    assert!(logged(&scene.board, "probe", "its entry does not grant"));
    scene.goes_on("greedy");
}

#[test]
fn rule_16_rolled_back_a_hundred_times_and_replaced_then() {
    let (scene, ..) = Scene::reloaded("start = \"new\", restore = \"traps\"", None);
    for _ in 0..100 {
        scene.board.reload("probe").unwrap_err();
    }
    scene.goes_on("a hundred times");
}

/// The second of two new outputs is somebody else's.
#[test]
fn rule_16_a_new_output_is_not_driven_where_another_is_not_to_be_had() {
    let also = "also = { line = \"ALSO\", direction = \"output\" }";
    let probe = board_of(&guest("probe_state"), "start = \"two\"") + also;
    let board = virtual_board(probe);
    assert_running(&board, "probe");
    let request = LineRequest::new("ALSO", "somebody", Direction::Input);
    let holder = board.sim().request(&request).unwrap();
    let error = board.reload("probe").unwrap_err();
    assert_eq!(error.code, ErrorCode::Aborted, "{error}");
    let lines = board.sim().show();
    let new = lines.iter().find(|line| line.name == "NEW").unwrap();
    assert_eq!((new.edges, &new.consumer), (0, &None));
    // It is to be had now, and both are driven.
    drop(holder);
    board.reload("probe").unwrap();
    let lines = board.sim().show();
    for name in ["NEW", "ALSO"] {
        let line = lines.iter().find(|line| line.name == name).unwrap();
        assert!(line.high, "{name}");
        assert_eq!(line.consumer.as_deref(), Some("probe"), "{name}");
    }
}

/// What it logs in `save-state` is not held by what its state may have.
#[test]
fn a_version_that_says_too_much_in_save_state_is_over() {
    let component = tempfile::tempdir().unwrap();
    let path = component.path().join("driver.wasm");
    std::fs::copy(guest("probe_state"), &path).unwrap();
    let board = virtual_board(board_of(&path, "save = \"shouts\""));
    board.reload("probe").unwrap();
    assert!(logged(&board, "probe", "limit `payload`"));
    assert_running(&board, "probe");
}
