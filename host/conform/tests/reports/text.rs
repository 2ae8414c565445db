use loopgate::is_printable;
use loopgate_conform::{Report, Style};

use super::{HOSTILE, all, fixture};

#[test]
fn it_fits_a_terminal_and_does_nothing_to_it() {
    for report in all() {
        let text = report.to_text(Style::Plain);
        let shows = |c: char| c == '\n' || is_printable(c);
        assert!(text.chars().all(shows), "{text}");
        for line in text.lines().filter(|line| !line.contains("script")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn colours_are_all_that_a_terminal_gets_more() {
    for report in all() {
        let coloured = report.to_text(Style::Ansi);
        let mut plain = String::new();
        for (nth, part) in coloured.split("\u{1b}[").enumerate() {
            plain += if nth == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            };
        }
        let trimmed = |text: &str| {
            text.lines()
                .map(|line| line.trim_end().to_owned() + "\n")
                .collect::<String>()
        };
        assert_eq!(trimmed(&plain), report.to_text(Style::Plain));
    }
}

#[test]
fn the_verdict_is_the_last_thing_said() {
    let last = |report: &Report| {
        report
            .to_text(Style::Plain)
            .lines()
            .last()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        last(&fixture::conforming()),
        "blink conforms: 3 checks passed, 1 skipped; 1 scenario passed"
    );
    let text = fixture::mixed().to_text(Style::Plain);
    let end = text.split("\n\n").last().unwrap().replace('\n', " ");
    let verdict = "button-led does not conform: 1 of 5 checks failed (silent-timers), 1 skipped; \
                   ";
    assert!(end.starts_with(verdict), "{end}");
}

#[test]
fn a_failure_says_all_that_mends_it() {
    let text = fixture::mixed().to_text(Style::Plain);
    for part in [
        "✗ silent-timers  A timer that was cancelled",
        "- answers-once   skipped: it publishes no service",
        "✗ silent-timers: A timer that was cancelled inside the gate stays silent",
        "  the timer `debounce` called its handler 20 ms after `stop` had returned",
        "      15 ms  stop",
        "  To mend it: cancel each timer in `stop`",
        "    set = { line = \"GPIO17\", level = \"low\" }",
        "430 ms ✗ GPIO27 low within 30 ms: it stayed high",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn lines_are_drawn_around_the_failure() {
    let text = fixture::mixed().to_text(Style::Plain);
    println!("{text}");
    let row = |name: &str| {
        let mut lines = text.lines().skip_while(|line| !line.starts_with(name));
        [lines.next().unwrap(), lines.next().unwrap()]
    };
    let edges = |row: [&str; 2]| row[0].matches(['┌', '┐']).count();
    assert!(edges(row("  GPIO17 ")) >= 7, "{text}");
    assert!(text.contains("✗430 ms"), "{text}");
}

#[test]
fn what_a_driver_wrote_stays_text() {
    let text = fixture::hostile(HOSTILE).to_text(Style::Ansi);
    assert!(!text.contains("\u{1b}[2J") && text.contains("\\u{1b}[2J"));
}
