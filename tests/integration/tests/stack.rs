//! Stacks of drivers: what each is told of those around it, and how they end.

use loopgate::{Board, Cancel, ErrorCode, Mode, Request, State};
use loopgate_integration::{
    Random, StopOnPanic, ask, assert_running, entry, guest, log, real_board, refused, state, until,
    virtual_board,
};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Where a board places a driver: on its provider's loop, or not.
const LOOPS: [&str; 2] = ["provider", "dedicated"];

/// A driver that offers a service of its own name, and opens those it uses.
fn part(name: &str, uses: &[&str], work_loop: &str, config: &str, more: &str) -> String {
    let open = uses.join(" ");
    let uses: Vec<_> = uses
        .iter()
        .map(|service| format!("\"{service}\""))
        .collect();
    let rest = format!(
        "provides = [\"{name}\", \"{name}-control\"]\nuses = [{}]\nwork-loop = \"{work_loop}\"\n\
         config = {{ service = \"{name}\", open = \"{open}\"{config} }}\n{more}",
        uses.join(", ")
    );
    entry(name, &guest("probe_stack"), &rest)
}

/// `top` on `middle` on `low`.
fn three(work_loop: &str, config: &str, more: &str) -> String {
    part("low", &[], work_loop, "", "")
        + &part("middle", &["low"], work_loop, config, more)
        + &part("top", &["middle"], work_loop, config, more)
}

fn closing(limit: &str) -> String {
    format!("limits = {{ closing = \"{limit}\" }}")
}

/// What a driver has logged itself.
fn logged(board: &Board, driver: &str) -> Vec<String> {
    let lines = board.logs(driver, 0, Duration::ZERO, &Cancel::default());
    lines.unwrap().into_iter().map(|line| line.text).collect()
}

/// What drivers have said themselves while `f` ran, in their order: `NAME: TEXT`.
fn said<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    let (result, log) = log::capture(f);
    let said = log.lines().filter_map(|line| {
        let (_, text) = line.split_once(" driver: ")?;
        Some(text.to_owned())
    });
    (result, said.collect())
}

/// Asks a driver to do something about a service.
fn tell(board: &Board, driver: &str, selector: &str, service: &str) -> String {
    let reply = board.call(driver, Request::named(selector).data(service));
    String::from_utf8(reply.unwrap().data).unwrap()
}

fn settled(board: &Board) {
    board.run_for(MILLISECOND);
}

fn work_loop(board: &Board, driver: &str) -> String {
    let status = board.status();
    let mut drivers = status.drivers.into_iter();
    drivers
        .find(|status| status.name == driver)
        .unwrap()
        .work_loop
}

fn elapsed<R>(board: &Board, f: impl FnOnce() -> R) -> (R, Duration) {
    let begun = board.now();
    let result = f();
    (result, board.now().saturating_since(begun))
}

#[test]
fn rule_127_a_driver_has_the_loop_of_its_first_provider_unless_it_has_its_own() {
    let board = virtual_board(
        part("own", &[], "dedicated", "", "")
            + &part("on-own", &["own"], "provider", "", "")
            + &part("above", &["on-own"], "provider", "", "")
            + &part("alone", &[], "provider", "", "")
            + &part("second", &["alone", "own"], "provider", "", "")
            + &part("apart", &["own"], "dedicated", "", ""),
    );
    for (driver, expected) in [
        ("own", "own"),
        ("on-own", "own"),
        ("above", "own"),
        ("alone", "board"),
        ("second", "board"),
        ("apart", "apart"),
    ] {
        assert_eq!(work_loop(&board, driver), expected, "{driver}");
    }
}

/// A service is known when its driver's `start` has returned, and who waits for
/// it is told as an event, or started: not from within that `start`.
#[test]
fn rule_130_who_waits_for_a_service_is_told_and_started_after_its_drivers_start() {
    for place in LOOPS {
        let board = virtual_board(
            part("other", &[], "provider", "", "")
                + &three(place, "", "")
                + &part("both", &["low", "other"], place, "", ""),
        );
        board.stop_driver("low").unwrap();
        let (started, said) = said(|| {
            let started = board.start_driver("low").unwrap();
            settled(&board);
            started
        });
        assert_eq!(started, ["low", "middle", "top"]);
        let at = |text: &str| {
            let mut said = said.iter();
            said.position(|line| line == text)
                .unwrap_or_else(|| panic!("not said: {text}"))
        };
        assert!(
            at("low: start") < at("both: ProviderPublished low"),
            "{said:?}"
        );
        assert!(at("low: start") < at("middle: start"), "{said:?}");
        assert!(at("middle: start") < at("top: start"), "{said:?}");
        assert_eq!(tell(&board, "both", "ask", "low"), "driver-died");
        assert_eq!(tell(&board, "both", "open", "low"), "ok");
        assert_eq!(tell(&board, "both", "ask", "low"), "ok");
        // Who began with it there is not told of it.
        assert!(!said.iter().any(|line| line.starts_with("middle: Provider")));
    }
}

#[test]
fn rule_130_a_service_that_is_offered_again_is_published_again() {
    let low = part("low", &[], "provider", ", control = \"low-control\"", "");
    let board = virtual_board(low + &part("user", &["low"], "provider", "", ""));
    ask(&board, "low-control", "withdraw");
    settled(&board);
    ask(&board, "low-control", "offer");
    settled(&board);
    let told = "ProviderTerminated low\nProviderPublished low";
    assert_eq!(tell(&board, "user", "report", ""), told);
    // Both are as it was when nobody could look in between.
    for _ in 0..3 {
        ask(&board, "low-control", "withdraw");
        ask(&board, "low-control", "offer");
    }
    settled(&board);
    assert_eq!(tell(&board, "user", "report", ""), [told, told].join("\n"));
}

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

/// `middle` closes `low` when the line changes.
fn closes_on_edge(limit: &str) -> String {
    format!(
        "{}\n[driver.gpio]\nin = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}",
        closing(limit)
    )
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

fn commands(board: &Board, driver: &str) -> u64 {
    let status = board.status();
    let driver = status.drivers.iter().find(|status| status.name == driver);
    driver.unwrap().counts.commands
}

/// How often its `stop` was called.
fn stops(board: &Board, driver: &str) -> usize {
    let lines = logged(board, driver);
    lines.iter().filter(|line| *line == "stop").count()
}

#[test]
fn rule_134_a_client_that_closes_later_delays_stop_until_then() {
    for place in LOOPS {
        let config = ", answer = \"closing\", close-ms = \"100\"";
        let board = virtual_board(
            part("low", &[], "provider", "", "") + &part("middle", &["low"], place, config, ""),
        );
        settled(&board);
        let (((), said), taken) = elapsed(&board, || said(|| drop(board.stop_driver("low"))));
        assert_eq!(taken, 100 * MILLISECOND, "{place}");
        let at = |text: &str| said.iter().position(|line| line == text).unwrap();
        assert!(at("middle: closes") < at("middle: stop"), "{said:?}");
        assert!(at("middle: stop") < at("low: stop"), "{said:?}");
    }
}

/// Ready, or closed at once: nothing is waited for.
#[test]
fn rule_134_a_client_that_is_ready_delays_nothing() {
    for answer in ["ready", "close", "trap"] {
        let config = format!(", answer = \"{answer}\"");
        let board = virtual_board(three("dedicated", &config, ""));
        settled(&board);
        let (stopped, taken) = elapsed(&board, || board.stop_driver("low").unwrap());
        assert_eq!((stopped.len(), taken), (3, Duration::ZERO), "{answer}");
        for driver in ["low", "middle", "top"] {
            assert_eq!(state(&board, driver).0, State::Stopped, "{answer}");
        }
    }
}

#[test]
fn rule_135_a_client_that_never_closes_is_closed_by_force() {
    let config = ", answer = \"closing\"";
    let middle = part("middle", &["low"], "provider", config, &closing("300 ms"));
    let board = virtual_board(part("low", &[], "provider", "", "") + &middle);
    let ((_, log), taken) = elapsed(&board, || {
        log::capture(|| board.stop_driver("low").unwrap())
    });
    assert_eq!(taken, 300 * MILLISECOND);
    let words = "middle: still has something of `low` open, which is stopped; it is closed by force: its limit `closing` is 300 ms";
    assert!(log.contains(words), "{log}");
    let lines = log.lines().filter(|line| line.ends_with(": stop"));
    assert_eq!(lines.count(), 2);
    assert_eq!(state(&board, "low").0, State::Stopped);
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
fn rule_137_who_lives_on_and_closes_delays_the_provider_until_then() {
    let config = ", answer = \"closing\", close-ms = \"20\"";
    let board = virtual_board(
        part("one", &[], "provider", "", "")
            + &part("two", &[], "provider", "", "")
            + &part("user", &["one", "two"], "provider", config, ""),
    );
    let (_, taken) = elapsed(&board, || board.stop_driver("one").unwrap());
    assert_eq!(taken, 20 * MILLISECOND);
    assert_eq!(stops(&board, "user"), 0);
}

/// Services are shared; pins are not, which the board file says already.
#[test]
fn rule_138_opening_a_service_is_shared_and_a_line_is_exclusive() {
    let board = virtual_board(
        part("low", &[], "provider", "", "")
            + &part("one", &["low"], "provider", "", "")
            + &part("two", &["low"], "provider", "", ""),
    );
    settled(&board);
    assert_eq!(tell(&board, "one", "ask", "low"), "ok");
    assert_eq!(tell(&board, "two", "ask", "low"), "ok");
    // The second handle of one client is no news, nor is its end.
    tell(&board, "one", "open", "low");
    tell(&board, "one", "close", "low");
    settled(&board);
    let opened = "ClientOpened low\nClientOpened low";
    assert_eq!(tell(&board, "low", "report", ""), opened);
    tell(&board, "one", "close", "low");
    settled(&board);
    let closed = format!("{opened}\nClientClosed low");
    assert_eq!(tell(&board, "low", "report", ""), closed);
    let twice = |name| {
        let pin = "[driver.gpio]\nin = { line = \"IN\", direction = \"input\" }";
        part(name, &[], "provider", "", pin)
    };
    let text = format!("[board]\nbackend = \"sim\"\n{}{}", twice("a"), twice("b"));
    let error = loopgate::BoardFile::parse(&text, "b.toml").unwrap_err();
    assert!(
        error.to_string().contains("belongs to `a` already"),
        "{error}"
    );
}

#[test]
fn rule_139_clients_are_told_in_order() {
    for place in LOOPS {
        let other = part("other", &[], "provider", "", "");
        let low = part("low", &[], "provider", "", "");
        let user = |name| part(name, &["low", "other"], place, ", answer = \"close\"", "");
        let board = virtual_board(other + &low + &user("c") + &user("a") + &user("b"));
        // Its place is that of the start order, whenever it began.
        board.reload("c").unwrap();
        settled(&board);
        let (_, said) = said(|| board.stop_driver("low").unwrap());
        let told = said.iter().filter(|line| line.contains("Terminated"));
        let told: Vec<_> = told.map(|line| &line[..1]).collect();
        assert_eq!(told, ["c", "a", "b"], "{place}");
    }
}

#[test]
fn rule_139a_all_of_an_ending_is_waited_for_15_s() {
    let board = virtual_board(
        part("base", &[], "provider", "", "")
            + &part(
                "low",
                &["base"],
                "provider",
                ", answer = \"closing\"",
                &closing("10 s"),
            )
            + &part(
                "on-low",
                &["low"],
                "provider",
                ", answer = \"closing\"",
                &closing("10 s"),
            ),
    );
    let (stopped, taken) = elapsed(&board, || board.stop_driver("base").unwrap());
    // Each has its limit from when it was told, so these go side by side.
    assert_eq!((stopped.len(), taken), (3, Duration::from_secs(10)));

    // It takes long to be told, and then to close.
    let config = ", answer = \"closing\", told-ms = \"8000\"";
    let limits = "limits = { closing = \"10 s\", handler-wall = \"60 s\" }";
    let board = virtual_board(
        part("base", &[], "provider", "", "") + &part("low", &["base"], "provider", config, limits),
    );
    let ((_, log), taken) = elapsed(&board, || {
        log::capture(|| board.stop_driver("base").unwrap())
    });
    assert_eq!(taken, Duration::from_secs(15));
    assert!(log.contains("drivers are waited for 15 s in all"), "{log}");
}

/// Whenever a client closes, its `stop` and its provider's are called once.
#[test]
fn race_x22_a_client_that_closes_while_its_provider_ends() {
    let mut random = Random(22);
    for place in LOOPS {
        let config = ", answer = \"closing\", edge = \"in\"";
        let middle = part("middle", &["low"], place, config, &closes_on_edge("50 ms"));
        let board = real_board(part("low", &[], "provider", "", "") + &middle);
        for round in 1..=50 {
            let spins = random.below(2000);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    (0..spins).for_each(|_| std::hint::spin_loop());
                    board.sim().set("IN", round % 2 == 1).unwrap();
                });
                assert_eq!(board.stop_driver("low").unwrap(), ["middle", "low"]);
            });
            assert_eq!(board.start_driver("low").unwrap(), ["low", "middle"]);
        }
        for driver in ["low", "middle"] {
            assert_running(&board, driver);
            assert_eq!(board.driver_state(driver).unwrap().1, 51);
        }
    }
}

/// Services become known, and drivers start, while what is below them ends:
/// none of them outlives it.
#[test]
fn race_x25_a_service_that_becomes_known_while_its_driver_ends() {
    let low = part("low", &[], "provider", ", control = \"low-control\"", "");
    let board = real_board(
        low + &part("middle", &["low"], "dedicated", "", "")
            + &part("top", &["middle"], "dedicated", "", ""),
    );
    for _ in 0..100 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for selector in ["withdraw", "offer", "withdraw", "offer"] {
                    let _ = board.call("low-control", Request::named(selector));
                }
            });
            for name in ["middle", "top"] {
                let board = &board;
                scope.spawn(move || {
                    let _ = board.reload(name);
                    let _ = board.start_driver(name);
                });
            }
            board.stop_driver("low").unwrap();
        });
        for driver in ["low", "middle", "top"] {
            assert_eq!(state(&board, driver).0, State::Stopped, "{driver}");
        }
        board.start_driver("low").unwrap();
        for driver in ["low", "middle", "top"] {
            // One that began while the service was withdrawn has failed.
            if state(&board, driver).0 != State::Running {
                board.start_driver(driver).unwrap();
            }
        }
    }
}

#[test]
fn the_death_of_a_provider_is_told_and_so_is_its_return() {
    for place in LOOPS {
        let board = virtual_board(
            part("low", &[], "provider", "", "") + &part("user", &["low"], place, "", ""),
        );
        settled(&board);
        refused(&board, "low", Request::named("trap"));
        settled(&board);
        assert_eq!(tell(&board, "user", "report", ""), "ProviderTerminated low");
        assert_eq!(tell(&board, "user", "ask", "low"), "driver-died");
        assert_eq!(tell(&board, "user", "open", "low"), "no-device");
        assert_eq!(board.start_driver("low").unwrap(), ["low"]);
        settled(&board);
        assert_eq!(
            tell(&board, "user", "report", ""),
            "ProviderTerminated low\nProviderPublished low"
        );
        assert_eq!(tell(&board, "user", "open", "low"), "ok");
        assert_eq!(tell(&board, "user", "ask", "low"), "ok");
    }
}

#[test]
fn a_reload_is_an_end_and_a_beginning_on_both_sides() {
    let board = virtual_board(
        part("low", &[], "provider", "", "") + &part("user", &["low"], "provider", "", ""),
    );
    settled(&board);
    board.reload("low").unwrap();
    settled(&board);
    let told = "ProviderTerminated low\nProviderPublished low";
    assert_eq!(tell(&board, "user", "report", ""), told);
    assert_eq!(tell(&board, "low", "report", ""), "", "its client is gone");
    assert_eq!(tell(&board, "user", "open", "low"), "ok");
    settled(&board);
    board.reload("user").unwrap();
    settled(&board);
    let told = "ClientOpened low\nClientClosed low\nClientOpened low";
    assert_eq!(tell(&board, "low", "report", ""), told);
}

#[test]
fn a_client_that_opens_and_closes_without_end_does_not_fill_its_providers_mail() {
    for place in LOOPS {
        let user = part("user", &["low"], place, "", "");
        let board = virtual_board(part("low", &[], "provider", "", "") + &user);
        tell(&board, "user", "close", "low");
        let mut often = Request::named("often").scalar(2000);
        often.data = b"low".to_vec();
        board.call("user", often).unwrap();
        settled(&board);
        let told = tell(&board, "low", "report", "");
        assert_eq!(told, "ClientOpened low\nClientClosed low", "{place}");
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
