//! In which order a stack ends, and that it cannot be taken back.

use crate::support::{
    LOOPS, closes_on_edge, closing, commands, elapsed, logged, part, said, settled, stops, tell,
    three,
};
use loopgate::{ErrorCode, Mode, Request, State};
use loopgate_integration::{
    StopOnPanic, assert_running, entry, guest, real_board, refused, state, until, virtual_board,
};
use std::time::Duration;

#[test]
fn rule_132_told_from_the_provider_to_the_leaf_and_stopped_from_the_leaf() {
    for place in LOOPS {
        let board = virtual_board(three(place, "", ""));
        settled(&board);
        let (stopped, said) = said(|| board.stop_driver("low").unwrap());
        assert_eq!(stopped, ["top", "middle", "low"]);
        let expected = [
            "middle: ProviderTerminated low",
            "top: ProviderTerminated middle",
            "top: stop",
            "middle: stop",
            "low: stop",
        ];
        assert_eq!(said, expected, "{place}");
    }
}

#[test]
fn rule_132_a_board_ends_in_this_order_too() {
    let config = ", answer = \"closing\", close-ms = \"5\"";
    let board = virtual_board(three("dedicated", config, ""));
    settled(&board);
    let ((), said) = said(|| board.stop());
    let expected = [
        "middle: ProviderTerminated low",
        "top: ProviderTerminated middle",
        "middle: closes",
        "top: closes",
        "low: ClientClosed low",
        "middle: ClientClosed middle",
        "top: stop",
        "middle: stop",
        "low: stop",
    ];
    let sorted = |mut lines: Vec<String>| {
        // What happens at one moment on three loops.
        lines[2..6].sort();
        lines
    };
    assert_eq!(sorted(said), sorted(expected.map(str::to_owned).to_vec()));
    for driver in board.status().drivers {
        assert_eq!((driver.state, driver.cause), (State::Stopped, None));
    }
}

#[test]
fn rule_133_an_ending_is_at_once_and_cannot_be_taken_back() {
    let config = ", answer = \"closing\", edge = \"in\"";
    let board = real_board(
        part("other", &[], "provider", "", "")
            + &part("low", &[], "provider", "", "")
            + &part(
                "middle",
                &["low"],
                "provider",
                config,
                &closes_on_edge("10 s"),
            )
            + &part("top", &["middle"], "provider", "", "")
            + &part("both", &["other"], "provider", "", "")
                .replace("uses = [", "uses = [\"low\", "),
    );
    std::thread::scope(|scope| {
        let begun = scope.spawn(|| board.call("middle", Request::named("later")));
        until("it was handed over", || commands(&board, "middle") == 1);
        let first = scope.spawn(|| board.stop_driver("low").unwrap());
        let _guard = StopOnPanic(&board);
        until("the middle is told", || {
            logged(&board, "middle").contains(&"ProviderTerminated low".to_owned())
        });
        for service in ["low", "middle", "top"] {
            let error = refused(&board, service, Request::named("report"));
            assert_eq!(error.code, ErrorCode::NoDevice);
            // The leaf has nobody to wait for.
            let stopped = service == "top" && error.message.contains("was stopped");
            assert!(
                stopped || error.message.contains("is being stopped"),
                "{error}"
            );
        }
        assert_eq!(tell(&board, "both", "open", "low"), "no-device");
        // Neither of these finds anything left to do.
        let second = scope.spawn(|| board.stop_driver("low").unwrap());
        let start = scope.spawn(|| board.start_driver("middle").unwrap_err());
        let reload = scope.spawn(|| board.reload("top").unwrap_err());
        board.sim().set("IN", true).unwrap();
        assert!(begun.join().unwrap().is_ok(), "what was begun goes on");
        assert_eq!(first.join().unwrap(), ["top", "middle", "low"]);
        assert!(second.join().unwrap().is_empty());
        let error = start.join().unwrap();
        assert_eq!(error.code, ErrorCode::NotReady);
        let words = "`low`, which it uses, is stopped; `loopgate start low` first";
        assert!(error.message.contains(words), "{error}");
        assert_eq!(reload.join().unwrap().code, ErrorCode::NotReady);
    });
    for driver in ["low", "middle", "top"] {
        assert_eq!(state(&board, driver).0, State::Stopped);
        assert_eq!(stops(&board, driver), 1, "{driver}");
    }
    assert_running(&board, "both");
}

#[test]
fn rule_136_an_ending_waits_for_a_start_that_runs() {
    let slow = part("slow", &["low"], "dedicated", ", start-ms = \"100\"", "");
    let board = real_board(part("low", &[], "provider", "", "") + &slow);
    board.stop_driver("slow").unwrap();
    std::thread::scope(|scope| {
        let start = scope.spawn(|| board.start_driver("slow"));
        until("it starts", || state(&board, "slow").0 == State::Starting);
        assert_eq!(board.stop_driver("low").unwrap(), ["slow", "low"]);
        start.join().unwrap().unwrap();
    });
    let lines = logged(&board, "slow");
    let expected = [
        "start",
        "running, generation 2",
        "ProviderTerminated low",
        "stop",
        "stopped",
    ];
    assert!(lines.ends_with(&expected.map(str::to_owned)), "{lines:?}");
}

#[test]
fn rule_137_who_has_another_live_provider_lives_on() {
    for place in LOOPS {
        let board = virtual_board(
            part("one", &[], "provider", "", "")
                + &part("two", &[], "provider", "", "")
                + &part("user", &["one", "two"], place, "", ""),
        );
        settled(&board);
        // It is told, and has it open as long as it may.
        let (stopped, taken) = elapsed(&board, || board.stop_driver("one").unwrap());
        assert_eq!(
            (&*stopped, taken),
            (&["one".to_owned()][..], Duration::from_secs(1))
        );
        assert_eq!(tell(&board, "user", "report", ""), "ProviderTerminated one");
        assert_eq!(tell(&board, "user", "ask", "one"), "driver-died");
        assert_eq!(tell(&board, "user", "ask", "two"), "ok");
        // Now there is none.
        assert_eq!(board.stop_driver("two").unwrap(), ["user", "two"]);
        let cause = state(&board, "user").1;
        assert_eq!(cause, "`two`, which it uses, was stopped");
        // It starts again when it has both.
        assert_eq!(board.start_driver("two").unwrap(), ["two"]);
        assert_eq!(board.start_driver("one").unwrap(), ["one", "user"]);
    }
}

#[test]
fn what_was_stopped_on_its_own_account_waits_for_nobody() {
    let board = virtual_board(three("provider", "", ""));
    board.stop_driver("low").unwrap();
    let cause = |driver: &str| state(&board, driver).1;
    assert_eq!(cause("middle"), "`low`, which it uses, was stopped");
    assert_eq!(
        cause("top"),
        "`low`, which it uses through `middle`, was stopped"
    );
    let error = refused(&board, "top", Request::named("report"));
    assert!(
        error.message.contains("`loopgate start low` starts them"),
        "{error}"
    );
    assert!(board.stop_driver("middle").unwrap().is_empty());
    assert_eq!(cause("middle"), "");
    assert_eq!(board.start_driver("low").unwrap(), ["low"]);
    assert_eq!(board.start_driver("middle").unwrap(), ["middle", "top"]);
    assert!(board.start_driver("middle").unwrap().is_empty());
    assert_eq!(board.stop_driver("top").unwrap(), ["top"]);
    assert_running(&board, "middle");
}

#[test]
fn a_driver_that_had_failed_stays_away_with_its_provider() {
    let board = virtual_board(three("provider", "", ""));
    refused(&board, "top", Request::named("trap").mode(Mode::Attempt));
    assert_eq!(board.stop_driver("low").unwrap(), ["top", "middle", "low"]);
    let (now, cause) = state(&board, "top");
    assert_eq!(now, State::Stopped);
    assert!(cause.contains("trap"), "{cause}");
    assert_eq!(board.start_driver("low").unwrap(), ["low", "middle", "top"]);
    assert_running(&board, "top");
}

/// As its services: a pin is opened by its provider's number for it, and not by way
/// of the board's directory.
#[test]
fn rule_133_a_pin_of_a_driver_that_ends_cannot_be_opened() {
    let pins = "provides = [\"expander\"]";
    let user = "provides = [\"pins\"]\nuses = [\"expander\", \"other\"]\n\
        work-loop = \"dedicated\"\n[driver.gpio]\n\
        in = { line = \"expander:P0\", direction = \"input\" }\n\
        out = { line = \"expander:P3\", direction = \"output\" }";
    let board = real_board(
        entry("publish", &guest("probe_publish"), pins)
            + &part("other", &[], "dedicated", "", "")
            + &entry("user", &guest("probe_pins"), user)
            + &part(
                "slow",
                &["expander"],
                "dedicated",
                ", answer = \"closing\"",
                &closing("1 s"),
            ),
    );
    for driver in ["publish", "other", "user", "slow"] {
        assert_running(&board, driver);
    }
    let pin = |selector, name: &str| {
        let opened = board.call("pins", Request::named(selector).data(name));
        opened.map(drop).map_err(|error| error.code)
    };
    assert_eq!(pin("input", "in"), Ok(()));
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        scope.spawn(|| board.stop_driver("publish").unwrap());
        until("it ends", || {
            let told = logged(&board, "slow").into_iter();
            told.filter(|line| line.contains("Terminated")).count() > 0
        });
        assert_eq!(pin("output", "out"), Err(ErrorCode::NoDevice));
        assert_eq!(pin("read", "in"), Ok(()), "what is open works on");
        assert_eq!(state(&board, "publish").0, State::Running);
    });
}
