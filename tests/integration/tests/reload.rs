//! Drivers that are stopped, started and replaced while the board runs.

use loopgate::{Board, ErrorCode, Mode, Request, State, Watch};
use loopgate_integration::{
    StopOnPanic, ask, assert_running, driver, entry, guest, real_board, state, supervised, until,
    virtual_board,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A component's file that can be replaced.
struct Component(tempfile::TempDir);

impl Component {
    fn of(version: &Path) -> Self {
        let component = Self(tempfile::tempdir().unwrap());
        component.replace(version);
        component
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("driver.wasm")
    }

    fn replace(&self, version: &Path) {
        self.write(&std::fs::read(version).unwrap());
    }

    /// In one step, as a careful tool does.
    fn write(&self, bytes: &[u8]) {
        let new = self.0.path().join("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }
}

const BUTTON: &str = "provides = [\"button-led\", \"counter\"]\n[driver.gpio]\n\
    button = { line = \"BUTTON\", direction = \"input\", bias = \"pull-up\", edges = \"both\" }\n\
    in = { line = \"IN\", direction = \"input\", bias = \"pull-up\", edges = \"both\" }\n\
    led = { line = \"LED\", direction = \"output\" }";

fn button(component: &Component) -> String {
    entry("button", &component.path(), BUTTON)
}

fn generation(board: &Board) -> u64 {
    board.status().drivers[0].generation
}

fn runs(board: &Board, generation: u64) -> bool {
    board.driver_state("button").unwrap() == (State::Running, generation)
}

/// Interrupts that the driver was given, and those reported as lost.
fn interrupts(board: &Board) -> (u64, u64) {
    let counts = board.status().drivers[0].counts;
    (counts.interrupts, counts.lost)
}

fn edges(board: &Board, line: &str) -> u64 {
    let lines = board.sim().show();
    lines.iter().find(|shown| shown.name == line).unwrap().edges
}

fn logged(board: &Board, part: &str) -> bool {
    let lines = board.logs(
        &board.status().drivers[0].name,
        0,
        Duration::ZERO,
        &loopgate::Cancel::default(),
    );
    lines.unwrap().iter().any(|line| line.text.contains(part))
}

#[test]
fn rule_04_edges_that_nobody_has_seen_go_to_the_next_version() {
    let component = Component::of(&guest("probe_counter"));
    let board = virtual_board(button(&component));
    assert_running(&board, "button");
    board.run_for(MILLISECOND);
    for level in [false, true, false] {
        board.sim().set("IN", level).unwrap();
    }
    board.reload("button").unwrap();
    assert_eq!(generation(&board), 2);
    board.run_for(MILLISECOND);
    assert_eq!(ask(&board, "counter", "edges"), 3);
    board.sim().set("IN", true).unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(ask(&board, "counter", "edges"), 4);
    assert_eq!(interrupts(&board), (4, 0));
}

#[test]
fn rule_04_edges_that_the_next_version_does_not_want_are_lost() {
    let component = Component::of(&guest("probe_counter"));
    let board = virtual_board(button(&component));
    board.run_for(MILLISECOND);
    board.sim().set("IN", false).unwrap();
    component.replace(&driver("blink"));
    board.reload("button").unwrap();
    assert_running(&board, "button");
    board.sim().set("IN", true).unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(interrupts(&board), (0, 1));
    // Its line is free again.
    let lines = board.sim().show();
    let line = lines.iter().find(|line| line.name == "IN").unwrap();
    assert_eq!(line.consumer, None);
}

#[test]
fn rule_04_edges_left_by_a_driver_that_is_stopped_are_lost() {
    let component = Component::of(&guest("probe_counter"));
    let board = virtual_board(button(&component));
    board.run_for(MILLISECOND);
    board.sim().set("IN", false).unwrap();
    board.stop_driver("button").unwrap();
    board.sim().set("IN", true).unwrap();
    board.start_driver("button").unwrap();
    board.sim().set("IN", false).unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(interrupts(&board), (1, 1));
}

/// What a version does to its outputs, no level between: not that of the pull.
#[test]
fn rule_14_an_output_that_both_versions_have_is_not_let_go() {
    let component = Component::of(&driver("button_led"));
    let board = virtual_board(format!(
        "[[board.line]]\nname = \"LED\"\npull = \"up\"\n{}",
        button(&component)
    ));
    board.run_for(MILLISECOND);
    let before = edges(&board, "LED");
    board.reload("button").unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(edges(&board, "LED"), before);
    board.stop_driver("button").unwrap();
    assert_eq!(edges(&board, "LED"), before + 1);
}

#[test]
fn bytes_that_nobody_has_read_go_to_the_next_version() {
    let component = Component::of(&driver("serial_echo"));
    let pins = "provides = [\"serial-echo\"]\n[driver.serial]\nport = { sim = \"uart\", baud = 9600, buffer = \"64 KiB\" }";
    let board = virtual_board(entry("echo", &component.path(), pins));
    board.run_for(MILLISECOND);
    let sent: Vec<u8> = (0..60_000_u32).map(|number| number as u8).collect();
    let mut received = Vec::new();
    for piece in sent.chunks(20_000) {
        board.sim_ports().feed("uart", piece).unwrap();
        board.reload("echo").unwrap();
        board.run_for(MILLISECOND);
        received.extend(board.sim_ports().take("uart").unwrap());
    }
    while let Some(more) = Some(board.sim_ports().take("uart").unwrap()).filter(|m| !m.is_empty()) {
        received.extend(more);
        board.run_for(MILLISECOND);
    }
    assert_eq!(generation(&board), 4);
    assert!(received == sent, "{} of {}", received.len(), sent.len());
}

#[test]
fn rule_16_a_version_that_cannot_be_loaded_leaves_the_old_one_running() {
    let component = Component::of(&driver("button_led"));
    let board = virtual_board(button(&component));
    board.sim().set("BUTTON", false).unwrap();
    board.run_for(100 * MILLISECOND);
    let good = std::fs::read(component.path()).unwrap();
    for (bytes, part) in [
        (&b""[..], "the file is empty"),
        (b"not wasm", "it begins with `not wasm`"),
        (&good[..good.len() / 2], "is not a valid component"),
    ] {
        component.write(bytes);
        let error = board.reload("button").unwrap_err();
        assert_eq!(error.code, ErrorCode::BadArgument);
        assert!(error.message.contains(part), "{error}");
        assert!(error.message.contains("the old version goes on"), "{error}");
    }
    std::fs::remove_file(component.path()).unwrap();
    assert!(board.reload("button").is_err());
    assert_eq!(generation(&board), 1);
    assert_eq!(ask(&board, "button-led", "presses"), 1);
}

#[test]
fn a_version_whose_start_fails_is_named_and_the_next_one_gets_the_place() {
    let component = Component::of(&driver("button_led"));
    let board = virtual_board(button(&component));
    // It wants a port that this entry does not grant.
    component.replace(&driver("serial_echo"));
    let error = board.reload("button").unwrap_err();
    assert_eq!(error.code, ErrorCode::DriverDied);
    assert!(error.message.contains("`start` refused"), "{error}");
    assert_eq!(state(&board, "button").0, State::Failed);
    component.replace(&driver("button_led"));
    board.reload("button").unwrap();
    assert_running(&board, "button");
    assert_eq!(generation(&board), 3);
    assert_eq!(ask(&board, "button-led", "presses"), 0);
}

#[test]
fn requests_in_flight_end_as_driver_died() {
    let component = Component::of(&guest("probe_pending"));
    let rest = "provides = [\"pending\", \"pending-report\"]\nconfig = { queueing = \"serial\" }";
    let board = real_board(entry("pending", &component.path(), rest));
    let _stop = StopOnPanic(&board);
    std::thread::scope(|scope| {
        let never = || board.call("pending", Request::named("never"));
        // One is pending, the others wait for their turn.
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(never)).collect();
        until("one waits", || {
            board.status().drivers[0].usage.requests == 1
        });
        board.reload("pending").unwrap();
        for client in clients {
            // One that came late is the new version's, which ends it below.
            let error = client_ends(&board, client);
            assert_eq!(error, ErrorCode::DriverDied);
        }
    });
}

/// How a client ended, of this version or, where it came late, of the next.
fn client_ends(
    board: &Board,
    client: std::thread::ScopedJoinHandle<'_, Result<loopgate::Reply, loopgate::RequestError>>,
) -> ErrorCode {
    until("it has ended", || {
        if board.status().drivers[0].usage.requests > 0 {
            board.reload("pending").unwrap();
        }
        client.is_finished()
    });
    client.join().unwrap().unwrap_err().code
}

#[test]
fn a_stopped_driver_starts_again_and_a_running_one_goes_on() {
    let component = Component::of(&driver("button_led"));
    let board = virtual_board(button(&component));
    board.stop_driver("button").unwrap();
    board.stop_driver("button").unwrap();
    assert_eq!(state(&board, "button").0, State::Stopped);
    let error = board
        .call("button-led", Request::named("presses"))
        .unwrap_err();
    assert!(error.message.contains("`loopgate start button`"), "{error}");
    let error = board.reload("button").unwrap_err();
    assert_eq!(error.code, ErrorCode::NotReady);
    board.start_driver("button").unwrap();
    board.start_driver("button").unwrap();
    assert_eq!(generation(&board), 2);
    assert!(logged(&board, "stopped") && logged(&board, "running, generation 2"));
    for unknown in [
        board.start_driver("button-led").map(drop),
        board.stop_driver("button-led").map(drop),
        board.reload("button-led").map(drop),
    ] {
        let error = unknown.unwrap_err();
        assert_eq!(error.code, ErrorCode::NoDevice);
        assert!(error.message.contains("its drivers are `button`"));
    }
}

/// As far as a watch or a reload is concerned: what it failed of still shows.
#[test]
fn a_driver_that_had_failed_or_fails_in_its_stop_stays_stopped() {
    let trap = |when: &str| format!("config = {{ when = \"{when}\" }}");
    for when in ["start", "stop"] {
        let component = Component::of(&guest("hostile_trap"));
        let board = virtual_board(entry("trap", &component.path(), &trap(when)));
        board.stop_driver("trap").unwrap();
        let (state, cause) = state(&board, "trap");
        assert_eq!(state, State::Stopped, "{when}");
        assert!(cause.contains(&format!("(in `{when}`)")), "{cause}");
        component.replace(&driver("blink"));
        assert_eq!(board.reload("trap").unwrap_err().code, ErrorCode::NotReady);
    }
}

#[test]
fn a_request_that_was_given_up_is_nothing_to_the_next_version() {
    let component = Component::of(&guest("probe_pending"));
    let rest = "provides = [\"pending\", \"pending-report\"]";
    let board = virtual_board(entry("pending", &component.path(), rest));
    let wait = Request::named("never").mode(Mode::Run(Some(MILLISECOND)));
    let error = board.call("pending", wait).unwrap_err();
    assert_eq!(error.code, ErrorCode::TimedOut);
    board.reload("pending").unwrap();
    assert_running(&board, "pending");
    assert_eq!(board.status().drivers[0].usage.requests, 0);
}

#[test]
fn a_changed_component_is_reloaded() {
    let component = Component::of(&driver("button_led"));
    let board = Arc::new(real_board(button(&component)));
    let watch = Watch::new(board.clone()).unwrap();
    component.write(b"not wasm");
    // Nothing tells of a version that was refused but the host's log: so a good
    // one comes after it, and it is the second generation.
    component.replace(&guest("probe_counter"));
    until("it is reloaded", || runs(&board, 2));
    assert_eq!(ask(&board, "counter", "edges"), 0);
    component.replace(&guest("probe_counter"));
    // Removed and made anew, in a folder that went away meanwhile.
    std::fs::remove_dir_all(component.0.path()).unwrap();
    std::fs::create_dir(component.0.path()).unwrap();
    component.replace(&driver("button_led"));
    until("it is reloaded", || runs(&board, 3));
    assert_eq!(ask(&board, "button-led", "presses"), 0);
    board.stop_driver("button").unwrap();
    component.replace(&guest("probe_counter"));
    drop(watch);
    assert_eq!(state(&board, "button").0, State::Stopped);
}

/// Its file does not change again.
#[test]
fn a_changed_component_that_was_refused_as_busy_is_tried_again() {
    let component = Component::of(&guest("probe_state"));
    let rest = "provides = [\"state\", \"held\"]\nlimits = { drain = \"1 ms\" }\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
        out = { line = \"OUT\", direction = \"output\" }";
    let board = Arc::new(real_board(entry("button", &component.path(), rest)));
    let _watch = Watch::new(board.clone()).unwrap();
    std::thread::scope(|scope| {
        let held = scope.spawn(|| board.call("held", Request::named("wait")));
        until("it has begun", || {
            board.status().drivers[0].usage.requests == 1
        });
        // The same, with an empty custom section.
        let mut version = std::fs::read(guest("probe_state")).unwrap();
        version.extend([0, 2, 1, b'x']);
        component.write(&version);
        until("it is refused", || logged(&board, "not reloaded"));
        assert_eq!(generation(&board), 1);
        board.call("state", Request::named("free")).unwrap();
        held.join().unwrap().unwrap();
    });
    until("it is reloaded", || runs(&board, 2));
}

/// Nor does it then: the instance that was busy is gone, and so is what it waited for.
#[test]
fn a_busy_driver_that_dies_is_started_again_and_then_reloaded() {
    let component = Component::of(&guest("probe_state"));
    let rest = "provides = [\"state\", \"held\"]\nlimits = { drain = \"1 ms\" }\n\
        restart = { backoff = \"0 ms\" }\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
        out = { line = \"OUT\", direction = \"output\" }";
    let board = Arc::new(real_board(supervised("button", &component.path(), rest)));
    let _watch = Watch::new(board.clone()).unwrap();
    std::thread::scope(|scope| {
        let held = scope.spawn(|| board.call("held", Request::named("wait")));
        until("it has begun", || {
            board.status().drivers[0].usage.requests == 1
        });
        let mut version = std::fs::read(guest("probe_state")).unwrap();
        version.extend([0, 2, 1, b'x']);
        component.write(&version);
        until("it is refused", || logged(&board, "not reloaded"));
        // More than it may do in a handler.
        let without_end = Request::named("signal").scalar(u64::MAX);
        let error = board.call("state", without_end).unwrap_err();
        assert_eq!(error.code, ErrorCode::DriverDied);
        assert_eq!(
            held.join().unwrap().unwrap_err().code,
            ErrorCode::DriverDied
        );
    });
    until("it is reloaded", || runs(&board, 3));
    assert_eq!(board.status().drivers[0].restarts.made, 1);
}

/// As where a new release is a new folder, and a link tells which one counts.
#[test]
fn a_folder_that_becomes_another_one_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (release, version) in [
        ("1", driver("button_led")),
        ("2", guest("probe_counter")),
        ("3", driver("button_led")),
    ] {
        std::fs::create_dir_all(path(release).join("drivers")).unwrap();
        std::fs::copy(version, path(release).join("drivers/driver.wasm")).unwrap();
    }
    let link = |release: &str| {
        std::os::unix::fs::symlink(release, path("new")).unwrap();
        std::fs::rename(path("new"), path("current")).unwrap();
    };
    link("1");
    let component = path("current/drivers/driver.wasm");
    let board = Arc::new(real_board(entry("button", &component, BUTTON)));
    let _watch = Watch::new(board.clone()).unwrap();
    link("2");
    until("the link counts", || runs(&board, 2));
    std::fs::rename(path("2"), path("old")).unwrap();
    std::fs::rename(path("3"), path("2")).unwrap();
    until("the folder counts", || runs(&board, 3));
}
