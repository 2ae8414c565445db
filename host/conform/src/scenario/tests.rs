use super::*;
use expectation::{Expectation, Judge, Mark, Verdict};
use step::{Action, Answer, Kind};
use trace::{Edge, Logged, Sent, Trace};

const MS: u64 = 1_000_000;

fn parsed(steps: &str) -> Result<Scenario, String> {
    let text = format!("title = \"t\"\n{steps}");
    Scenario::parse(&text, "dir/press.toml").map_err(|error| error.to_string())
}

fn step(body: &str) -> Step {
    let scenario = parsed(&format!("[[step]]\nat = \"10 ms\"\n{body}\n"));
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    scenario.steps.into_iter().next().unwrap()
}

#[test]
fn steps_come_in_the_order_of_time_and_then_of_the_file() {
    let set = |at: &str, line: &str| {
        format!("[[step]]\nat = \"{at}\"\nset = {{ line = \"{line}\", level = \"low\" }}\n")
    };
    let text = [set("2 s", "C"), set("1 s", "A"), set("1 s", "B")].concat();
    let scenario = parsed(&text).unwrap();
    let lines = scenario.steps.iter().map(|step| step.board_line().unwrap());
    assert_eq!(lines.collect::<String>(), "ABC");
    assert_eq!(scenario.length(), 2_000 * MS);
    assert_eq!(scenario.name(), "press");
}

#[test]
fn what_is_written_is_what_is_done() {
    let edges = step("edges = { line = \"L\", spans = [\"1 ms\", \"2 us\"] }");
    assert!(
        matches!(&edges.kind, Kind::Do(Action::Edges { spans, .. }) if spans[..] == [MS, 2_000])
    );
    assert_eq!(edges.end(), 11 * MS + 2_000);
    let feed = step("feed = { port = \"p\", hex = \"0a ff\" }");
    assert!(matches!(&feed.kind, Kind::Do(Action::Feed { bytes, .. }) if bytes[..] == [10, 255]));
    let Kind::Call(call) =
        step("call = { service = \"s\", selector = 3, scalars = [1, 2], text = \"x\" }").kind
    else {
        panic!("a call")
    };
    assert_eq!(
        (call.request.scalars, &call.request.data[..]),
        ([1, 2, 0, 0], &b"x"[..])
    );
    assert_eq!(call.within, 1_000 * MS);
    assert!(matches!(call.answer, Answer::Reply { scalar: None, .. }));
    let own = step("reload = true");
    assert!(matches!(own.kind, Kind::Do(Action::Life(_, None))));
    let other = step("stop = \"disk\"");
    assert_eq!(other.driver(), Some("disk"));
}

#[test]
fn each_mistake_names_the_line_the_thing_and_the_remedy() {
    let at = "[[step]]\nat = \"10 ms\"\n";
    let table = [
        (
            String::new() + "titel = \"x\"\n",
            2,
            "unknown field `titel`",
        ),
        (
            "[[step]]\nset = { line = \"L\", level = \"low\" }\n".into(),
            2,
            "missing field `at`",
        ),
        (at.replace("10 ms", "10"), 3, "write for example `10 ms`"),
        (
            format!("{at}set = {{ line = \"L\", level = \"up\" }}\n"),
            4,
            "unknown variant `up`",
        ),
        (
            format!("{at}expect = {{ line = \"L\", level = \"low\", wihtin = \"1 s\" }}\n"),
            4,
            "wihtin",
        ),
        (at.into(), 3, "does nothing"),
        (
            format!("{at}reload = true\npower = \"on\"\n"),
            3,
            "a `[[step]]` for each",
        ),
        (
            format!("{at}stop = false\n"),
            3,
            "write `true`, or leave the step out",
        ),
        (
            format!("{at}feed = {{ port = \"p\" }}\n"),
            3,
            "write `text`, `hex` or `file`",
        ),
        (
            format!("{at}feed = {{ port = \"p\", hex = \"0\" }}\n"),
            3,
            "two digits",
        ),
        (
            format!("{at}feed = {{ port = \"p\", text = \"\", hex = \"\" }}\n"),
            3,
            "not several",
        ),
        (
            format!("{at}feed = {{ port = \"p\", file = \"none\" }}\n"),
            3,
            "`dir/none` cannot be read",
        ),
        (
            format!("{at}sent = {{ port = \"p\", text = \"\" }}\n"),
            3,
            "no bytes",
        ),
        (
            format!("{at}quiet = {{ for = \"1 s\" }}\n"),
            3,
            "one `line` or of one `port`",
        ),
        (
            format!("{at}call = {{ service = \"s\", selector = 1, scalars = [1, 2, 3, 4, 5] }}\n"),
            3,
            "at most 4",
        ),
        (
            format!(
                "{at}call = {{ service = \"s\", selector = 1, reply = {{}}, error = \"io\" }}\n"
            ),
            3,
            "one of them",
        ),
        (
            at.replace("10 ms", "9000 h") + "reload = true\n",
            3,
            "366 days",
        ),
    ];
    for (text, line, words) in table {
        let error = parsed(&text).unwrap_err();
        assert!(
            error.starts_with(&format!("dir/press.toml:{line}: ")) && error.contains(words),
            "{error}\n{text}"
        );
    }
}

#[test]
fn a_scenario_is_bounded() {
    let long = "#".repeat(FILE_MAX as usize);
    assert!(
        parsed(&long)
            .unwrap_err()
            .contains("more than the 1048576 bytes")
    );
    let steps = "[[step]]\nat = \"0 s\"\nreload = true\n".repeat(STEPS_MAX + 1);
    assert!(parsed(&steps).unwrap_err().contains("at most 10000 steps"));
}

/// A line `L` that is low at first and changes at these milliseconds.
fn line(changes: &[u64]) -> Trace {
    let mut high = false;
    let edges = changes.iter().map(|at| {
        high = !high;
        Edge {
            line: "L".into(),
            high,
            at: at * MS,
        }
    });
    Trace {
        edges: edges.collect(),
        ..Trace::default()
    }
}

fn judged(trace: &Trace, body: &str) -> Verdict {
    let step = step(body);
    let Kind::Expect(expected) = &step.kind else {
        panic!("{body} expects nothing")
    };
    let edges = trace.edges.iter().filter(|edge| edge.at <= step.at).count();
    Judge::new(trace, "d").judge(expected, Mark { at: step.at, edges })
}

/// Each is judged at 10 ms; the time of the verdict, and `None` or what is said of it.
#[track_caller]
fn check(trace: &Trace, table: &[(&str, u64, Option<&str>)]) {
    for (body, at, said) in table {
        let Verdict { at: when, outcome } = judged(trace, body);
        assert_eq!(when, *at, "{body}: {outcome:?}");
        match (said, &outcome) {
            (None, Ok(_)) => {}
            (Some(said), Err(text)) => assert_eq!(text, said, "{body}"),
            _ => panic!("{body}: {outcome:?}"),
        }
    }
}

#[test]
fn a_level_is_looked_at_once_or_waited_for() {
    let trace = line(&[5, 15, 30]);
    check(
        &trace,
        &[
            (r#"expect = { line = "L", level = "high" }"#, 10 * MS, None),
            (
                r#"expect = { line = "L", level = "low" }"#,
                10 * MS,
                Some("L should be low, and is high since 5 ms"),
            ),
            (
                r#"expect = { line = "L", level = "low", within = "5 ms" }"#,
                15 * MS,
                None,
            ),
            (
                r#"expect = { line = "L", level = "low", within = "4999 us" }"#,
                14_999_000,
                Some("L should be low by 14.999 ms, and is high since 5 ms"),
            ),
        ],
    );
}

#[test]
fn a_pulse_has_a_width_and_begins_in_its_window() {
    let trace = line(&[5, 15, 20, 23, 40]);
    let said =
        "L should be high for 5 ms +- 1 ms, from 10 ms to 30 ms on, and was for 3 ms from 20 ms on";
    check(
        &trace,
        &[
            (
                r#"pulse = { line = "L", level = "low", width = "5 ms", within = "5 ms" }"#,
                20 * MS,
                None,
            ),
            (
                r#"pulse = { line = "L", level = "high", width = "4 ms", tolerance = "1 ms", within = "20 ms" }"#,
                23 * MS,
                None,
            ),
            (
                r#"pulse = { line = "L", level = "high", width = "5 ms", tolerance = "1 ms", within = "20 ms" }"#,
                30 * MS,
                Some(said),
            ),
            (
                r#"pulse = { line = "L", level = "high", width = "10 ms", within = "1 ms" }"#,
                11 * MS,
                Some("L should be high for 10 ms, from 10 ms to 11 ms on, and did not begin to be"),
            ),
            (
                r#"pulse = { line = "L", level = "high", width = "9 ms", within = "100 ms" }"#,
                110 * MS,
                Some(
                    "L should be high for 9 ms, from 10 ms to 110 ms on, and was for 3 ms from 20 ms on, from 40 ms on",
                ),
            ),
        ],
    );
}

#[test]
fn edges_are_counted_with_both_ends_of_the_window() {
    let trace = line(&[10, 20, 30]);
    check(
        &trace,
        &[
            (
                r#"count = { line = "L", edges = 3, for = "20 ms" }"#,
                30 * MS,
                None,
            ),
            (
                r#"count = { line = "L", edges = 1, tolerance = 1, for = "19 ms" }"#,
                29 * MS,
                None,
            ),
            (
                r#"count = { line = "L", edges = 2, for = "20 ms" }"#,
                30 * MS,
                Some("L should have changed 2 times since 10 ms, and did 3 times"),
            ),
            (
                r#"quiet = { line = "L", for = "20 ms" }"#,
                10 * MS,
                Some("L should not change before 30 ms, and becomes high"),
            ),
        ],
    );
    check(
        &line(&[9, 31]),
        &[(r#"quiet = { line = "L", for = "20 ms" }"#, 30 * MS, None)],
    );
}

fn sent(pieces: &[(u64, &[u8])]) -> Trace {
    let mut trace = Trace::default();
    let mut sent = Sent::default();
    for (at, bytes) in pieces {
        sent.since.push((sent.bytes.len(), at * MS));
        sent.bytes.extend_from_slice(bytes);
    }
    trace.sent.insert("p".to_owned(), sent);
    trace
}

#[test]
fn bytes_are_those_that_come_next() {
    let trace = sent(&[(5, b"old"), (12, b"hel"), (14, b"lo!")]);
    check(
        &trace,
        &[
            (
                r#"sent = { port = "p", text = "hello", within = "4 ms" }"#,
                14 * MS,
                None,
            ),
            (
                r#"sent = { port = "p", text = "hello", within = "3 ms" }"#,
                13 * MS,
                Some("`p` should get \"hello\" by 13 ms, and gets \"hel\""),
            ),
            (
                r#"sent = { port = "p", text = "help", within = "1 s" }"#,
                14 * MS,
                Some("`p` should get \"help\" by 1010 ms, and gets \"hell\""),
            ),
            (
                r#"sent = { port = "q", text = "x" }"#,
                10 * MS,
                Some("`q` should get \"x\", and gets nothing"),
            ),
            (r#"quiet = { port = "p", for = "1 ms" }"#, 11 * MS, None),
            (
                r#"quiet = { port = "p", for = "2 ms" }"#,
                12 * MS,
                Some("nothing should be sent to `p` before 12 ms, and \"hel\" is"),
            ),
        ],
    );
}

#[test]
fn bytes_that_were_expected_are_not_expected_again() {
    let trace = sent(&[(12, b"aab")]);
    let expected = |text: &str| Expectation::Sent {
        port: "p".to_owned(),
        bytes: text.into(),
        within: 5 * MS,
    };
    let (first, second) = (expected("a"), expected("ab"));
    let mut judge = Judge::new(&trace, "d");
    let mark = Mark {
        at: 10 * MS,
        edges: 0,
    };
    for expected in [&first, &second] {
        assert!(judge.judge(expected, mark).outcome.is_ok());
    }
    let third = judge.judge(&first, mark);
    assert_eq!(
        third.outcome,
        Err("`p` should get \"a\" by 15 ms, and gets nothing".to_owned())
    );
}

#[test]
fn a_log_line_is_of_its_driver_and_in_its_time() {
    let logged = |driver: &str, at| Logged {
        driver: driver.to_owned(),
        at: at * MS,
        level: "info".to_owned(),
        text: "no macro for 9".to_owned(),
    };
    let trace = Trace {
        logs: vec![logged("d", 9), logged("e", 11), logged("d", 12)],
        ..Trace::default()
    };
    check(
        &trace,
        &[
            (
                r#"log = { contains = "macro", within = "5 ms" }"#,
                12 * MS,
                None,
            ),
            (
                r#"log = { contains = "macro", driver = "e", within = "5 ms" }"#,
                11 * MS,
                None,
            ),
            (
                r#"log = { contains = "macro", within = "1 ms" }"#,
                11 * MS,
                Some("`d` should log \"macro\" by 11 ms, and does not"),
            ),
        ],
    );
}
