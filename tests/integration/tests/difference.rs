//! Changes of a running board: where drivers use one another, who ends with whom, and
//! who comes back; who is only reloaded.

use loopgate::control::to_hex;
use loopgate::{Board, BoardFile, Changes, Request, State};
use loopgate_integration::{assert_running, entry, guest, state, virtual_board};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;

/// A driver that offers a service of its own name, and opens those it uses.
fn part(name: &str, uses: &[&str], more: &str) -> String {
    let open = uses.join(" ");
    let rest = format!(
        "provides = [\"{name}\"]\nuses = {uses:?}\nconfig = {{ service = \"{name}\", open = \"{open}\" }}\n{more}"
    );
    entry(name, &guest("probe_stack"), &rest)
}

const OTHER: &str = "limits = { memory = \"2 MiB\" }";

fn read(drivers: &str) -> BoardFile {
    let text = format!("[board]\nbackend = \"sim\"\n{drivers}");
    BoardFile::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn change(board: &Board, drivers: &str) -> Changes {
    let changes = board.change_to(read(drivers));
    board.run_for(Duration::from_millis(1));
    changes.unwrap_or_else(|error| panic!("{error}"))
}

/// Asks one driver to ask a service that it has open.
fn tell(board: &Board, driver: &str, selector: &str, service: &str) -> String {
    let reply = board.call(driver, Request::named(selector).data(service));
    String::from_utf8(reply.unwrap().data).unwrap()
}

fn generation(board: &Board, driver: &str) -> u64 {
    board.driver_state(driver).unwrap().1
}

fn three(low: &str) -> String {
    part("low", &[], low) + &part("middle", &["low"], "") + &part("top", &["middle"], "")
}

#[test]
fn those_above_one_that_changes_end_and_come_back_with_it() {
    let board = virtual_board(three(""));
    let changes = change(&board, &three(OTHER));
    assert_eq!(changes.changed, ["low"]);
    assert_eq!(changes.restarted, ["middle", "top"]);
    assert!(changes.unchanged.is_empty(), "{changes}");
    // The log of those goes on, and so do their numbers.
    for (driver, number) in [("low", 1), ("middle", 2), ("top", 2)] {
        assert_running(&board, driver);
        assert_eq!(generation(&board, driver), number, "{driver}");
    }
    assert_eq!(tell(&board, "top", "ask", "middle"), "ok");
    assert_eq!(tell(&board, "middle", "ask", "low"), "ok");
    // They are above the new one: they end with it, as with the old one.
    assert_eq!(board.stop_driver("low").unwrap(), ["top", "middle", "low"]);
    assert_eq!(board.start_driver("low").unwrap(), ["low", "middle", "top"]);
    assert!(change(&board, &three(OTHER)).is_empty());
}

#[test]
fn one_with_another_provider_lives_on_and_is_told() {
    let both = |low: &str| {
        part("low", &[], low) + &part("other", &[], "") + &part("both", &["low", "other"], "")
    };
    let board = virtual_board(both(""));
    let changes = change(&board, &both(OTHER));
    assert_eq!(changes.changed, ["low"]);
    assert_eq!(changes.unchanged, ["other", "both"]);
    assert_eq!(generation(&board, "both"), 1);
    assert_eq!(
        tell(&board, "both", "report", ""),
        "ProviderTerminated low\nProviderPublished low"
    );
    assert_eq!(tell(&board, "both", "open", "low"), "ok");
    assert_eq!(tell(&board, "both", "ask", "low"), "ok");
    // Now both go, in one ending: it has nobody left.
    let swapped =
        part("other", &[], OTHER) + &part("low", &[], "") + &part("both", &["low", "other"], "");
    let changes = change(&board, &swapped);
    assert_eq!(changes.changed, ["other", "low"]);
    assert_eq!(changes.restarted, ["both"]);
    assert_running(&board, "both");
}

#[test]
fn a_service_can_come_from_another_driver() {
    let of = |name: &str| {
        let rest = "provides = [\"low\"]\nconfig = { service = \"low\" }";
        entry(name, &guest("probe_stack"), rest)
    };
    let user = part("user", &["low"], "") + &part("leaf", &["user"], "");
    let board = virtual_board(of("first") + &user);
    let changes = change(&board, &(user.clone() + &of("second")));
    assert_eq!(changes.removed, ["first"]);
    assert_eq!(changes.added, ["second"]);
    assert_eq!(changes.restarted, ["user", "leaf"]);
    assert_eq!(tell(&board, "user", "ask", "low"), "ok");
    assert_eq!(
        board.stop_driver("second").unwrap(),
        ["leaf", "user", "second"]
    );
}

#[test]
fn one_that_somebody_stopped_stays_so_and_what_comes_above_waits() {
    let board = virtual_board(three(""));
    board.stop_driver("middle").unwrap();
    let new = part("new", &["middle"], "");
    let changes = change(&board, &(three(OTHER) + &new));
    assert_eq!(changes.added, ["new"]);
    assert!(changes.restarted.is_empty(), "{changes}");
    assert_running(&board, "low");
    for driver in ["middle", "top", "new"] {
        assert_eq!(state(&board, driver).0, State::Stopped, "{driver}");
    }
    let (_, cause) = state(&board, "new");
    assert!(
        cause.contains("`middle`, which it uses, is stopped"),
        "{cause}"
    );
    let started = board.start_driver("middle").unwrap();
    assert_eq!(started, ["middle", "top", "new"]);
}

#[test]
fn one_that_was_alone_gets_users() {
    let board = virtual_board(part("low", &[], ""));
    let changes = change(
        &board,
        &(part("low", &[], "") + &part("user", &["low"], "")),
    );
    assert_eq!(changes.unchanged, ["low"]);
    assert_eq!(tell(&board, "user", "ask", "low"), "ok");
    board.run_for(Duration::from_millis(1));
    let told = tell(&board, "low", "report", "");
    assert_eq!(told, "ClientOpened low");
    assert_eq!(board.stop_driver("low").unwrap(), ["user", "low"]);
}

/// Pins of a driver that are granted to others, or otherwise, are published anew.
#[test]
fn grants_of_published_pins_can_change() {
    let publish = entry(
        "publish",
        &guest("probe_publish"),
        "provides = [\"expander\"]",
    );
    let user = |name: &str, pins: &str| {
        let rest = format!(
            "provides = [\"{name}\"]\nuses = [\"expander\"]\nconfig = {{ service = \"{name}\" }}\n[driver.gpio]\n{pins}"
        );
        entry(name, &guest("probe_pins"), &rest)
    };
    let pin =
        |more: &str| format!("in = {{ line = \"expander:P0\", direction = \"input\"{more} }}\n");
    let other = "in = { line = \"expander:P1\", direction = \"input\" }\n";
    let board = virtual_board(publish.clone());
    let read = |service: &str| {
        let input = board.call(service, Request::named("input").data("in"));
        input.unwrap_or_else(|error| panic!("{error}"));
        let reply = board.call(service, Request::named("read").data("in"));
        reply.unwrap_or_else(|error| panic!("{error}")).scalar
    };
    // Nobody could open any before.
    let one = publish.clone() + &user("one", &pin(""));
    let changes = change(&board, &one);
    assert_eq!(
        (changes.added, changes.changed),
        (vec!["one".into()], vec!["publish".into()])
    );
    assert_eq!(read("one"), 0);
    // One more user of another pin: the pins that there are come back.
    let two = one.clone() + &user("two", other);
    let changes = change(&board, &two);
    assert_eq!(changes.changed, ["publish"]);
    assert_eq!(changes.restarted, ["one"]);
    assert_eq!((read("one"), read("two")), (0, 0));
    // The other way round.
    let inverted =
        publish.clone() + &user("one", &pin(", active-low = true")) + &user("two", other);
    change(&board, &inverted);
    assert_eq!((read("one"), read("two")), (1, 0));
    // The same pin for another driver: nothing is granted otherwise.
    let moved = publish.clone() + &user("one", other) + &user("two", &pin(", active-low = true"));
    let changes = change(&board, &moved);
    assert_eq!(changes.unchanged, ["publish"]);
    assert_eq!((read("one"), read("two")), (0, 1));
}

#[test]
fn lines_that_are_shared_otherwise_are_refused_with_a_remedy() {
    let sharer = |name: &str, shared: &str| {
        let rest = format!(
            "provides = [\"{name}\"]\nconfig = {{ service = \"{name}\" }}\n[driver.gpio]\n\
             in = {{ line = \"{shared}\", direction = \"input\", edges = \"both\", shared = true }}"
        );
        entry(name, &guest("probe_echo"), &rest)
    };
    let two = sharer("one", "L") + &sharer("two", "L");
    let board = virtual_board(two.clone());
    let error = board.change_to(read(&(two.clone() + &sharer("three", "L"))));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("end the board and run it again"), "{error}");
    assert_running(&board, "one");
    // All else of them can change.
    let more = two.replace(
        "provides = [\"two\"]",
        &format!("provides = [\"two\"]\n{OTHER}"),
    );
    assert_eq!(change(&board, &more).changed, ["two"]);
}

/// An output at rest is the next driver's of that name, or free.
#[test]
fn rule_14_what_a_driver_leaves_at_rest_does_not_bar_who_comes_after_it() {
    let mortal = |name: &str, more: &str| {
        let rest = format!(
            "config = {{ out = \"high\", service = \"{name}\" }}\nprovides = [\"{name}\"]\n{more}\n\
             [driver.gpio]\nout = {{ line = \"OUT\", direction = \"output\", on-death = \"low\" }}"
        );
        entry(name, &guest("probe_mortal"), &rest)
    };
    let board = virtual_board(mortal("one", ""));
    assert_eq!(change(&board, &mortal("one", OTHER)).changed, ["one"]);
    assert_running(&board, "one");
    let changes = change(&board, &mortal("two", ""));
    assert_eq!(
        (changes.removed, changes.added),
        (vec!["one".into()], vec!["two".into()])
    );
    assert_running(&board, "two");
}

/// An entry of a driver with state, its component in this file, with this digest.
fn counter(component: &Path, sha256: Option<&str>) -> String {
    let sha256 = sha256.map(|digest| format!("sha256 = \"{digest}\"\n"));
    let rest = format!(
        "{}provides = [\"state\", \"held\"]\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}\n\
         out = {{ line = \"OUT\", direction = \"output\", on-death = \"low\" }}",
        sha256.unwrap_or_default()
    );
    entry("counter", component, &rest)
}

/// Software interrupts and reloads, of what the driver has counted.
fn signals(board: &Board, more: u64) -> (String, String) {
    let signal = Request::named("signal").scalar(more);
    board.call("state", signal).unwrap();
    board.run_for(Duration::ZERO);
    let counts = board.call("state", Request::named("counts")).unwrap().data;
    let counts = String::from_utf8(counts).unwrap();
    let mut counts = counts.split(|byte: char| !byte.is_ascii_digit());
    let counts: Vec<&str> = counts.by_ref().filter(|word| !word.is_empty()).collect();
    (counts[2].into(), counts[4].into())
}

#[test]
fn rule_16_another_component_alone_takes_over_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let next = folder.path().join("next.wasm");
    std::fs::copy(guest("probe_state"), &next).unwrap();
    let digest = to_hex(&Sha256::digest(std::fs::read(&next).unwrap()));
    let blink = entry("part", &guest("probe_stack"), "config = {}\nprovides = []");
    let board = virtual_board(counter(&guest("probe_state"), None) + &blink);
    board
        .call("state", Request::named("set").scalar(1))
        .unwrap();
    assert_eq!(signals(&board, 2), ("2".into(), "0".into()));
    let edges = |board: &Board| {
        let lines = board.sim().show();
        lines.iter().find(|line| line.name == "OUT").unwrap().edges
    };
    let before = edges(&board);

    // Not the one that is meant: the running version goes on.
    let wrong = "0".repeat(64);
    let changes = change(&board, &(counter(&next, Some(&wrong)) + &blink));
    assert!(changes.refused["counter"].contains(&digest), "{changes}");
    assert!(changes.to_string().contains("the old version goes on"));
    assert_eq!(changes.unchanged, ["part"]);
    let again = change(&board, &(counter(&next, Some(&wrong)) + &blink));
    assert_eq!(again.refused, changes.refused, "it is tried again");
    assert_eq!(signals(&board, 1), ("3".into(), "0".into()));

    let changes = change(&board, &(counter(&next, Some(&digest)) + &blink));
    assert_eq!(
        (changes.reloaded, changes.unchanged),
        (vec!["counter".to_owned()], vec!["part".to_owned()])
    );
    assert_eq!(signals(&board, 1), ("4".into(), "1".into()));
    assert_eq!(edges(&board), before, "the output is still");
    assert!(change(&board, &(counter(&next, Some(&digest)) + &blink)).is_empty());

    // One that is stopped has it when it starts.
    board.stop_driver("counter").unwrap();
    std::fs::remove_file(&next).unwrap();
    let changes = change(&board, &(counter(&guest("probe_state"), None) + &blink));
    assert!(changes.is_empty(), "{changes}");
    board.start_driver("counter").unwrap();
    assert_eq!(signals(&board, 1), ("1".into(), "0".into()));
}
