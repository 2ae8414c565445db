//! Which loop, and who is told of what can be opened.

use crate::support::{LOOPS, part, said, settled, tell, three};
use loopgate::{Board, Request};
use loopgate_integration::{ask, virtual_board};

fn work_loop(board: &Board, driver: &str) -> String {
    let status = board.status();
    let mut drivers = status.drivers.into_iter();
    drivers
        .find(|status| status.name == driver)
        .unwrap()
        .work_loop
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
