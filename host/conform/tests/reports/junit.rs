use loopgate::printable;
use roxmltree::{Document, Node};

use super::{HOSTILE, all, fixture};

#[test]
fn counts_are_those_of_the_cases() {
    for report in all() {
        let xml = report.to_junit();
        let document = Document::parse(&xml).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "testsuites");
        let cases = report.checks.len() + report.scenarios.len();
        assert_eq!(count(root, "testcase"), cases);
        for node in root
            .descendants()
            .filter(|node| node.tag_name().name().starts_with("testsuite"))
        {
            for (attribute, element) in [
                ("tests", "testcase"),
                ("failures", "failure"),
                ("skipped", "skipped"),
            ] {
                let said: usize = node.attribute(attribute).unwrap().parse().unwrap();
                assert_eq!(said, count(node, element), "{xml}");
            }
        }
        assert_eq!(count(root, "failure") == 0, report.conforms());
    }
}

#[test]
fn a_failure_and_what_it_was_run_with_are_found() {
    let xml = fixture::mixed().to_junit();
    let document = Document::parse(&xml).unwrap();
    let case = document
        .descendants()
        .find(|node| node.attribute("name") == Some("silent-timers"))
        .unwrap();
    assert_eq!(case.attribute("classname"), Some("button-led.checks"));
    let failure = case.first_element_child().unwrap();
    assert!(
        failure
            .attribute("message")
            .unwrap()
            .starts_with("the timer")
    );
    assert!(
        failure
            .text()
            .unwrap()
            .contains("To mend it: cancel each timer")
    );
    let property = |name| {
        let mut all = document
            .descendants()
            .filter(|node| node.has_tag_name("property"));
        let found = all
            .find(|node| node.attribute("name") == Some(name))
            .unwrap();
        found.attribute("value").unwrap().to_owned()
    };
    assert_eq!(property("seed"), u64::MAX.to_string());
    assert_eq!(property("trace").len(), 64);
}

#[test]
fn what_a_driver_wrote_stays_text() {
    let report = fixture::hostile(HOSTILE);
    let xml = report.to_junit();
    let document = Document::parse(&xml).unwrap();
    let case = document
        .descendants()
        .find(|node| node.attribute("name") == Some("loads"))
        .unwrap();
    let message = case
        .first_element_child()
        .unwrap()
        .attribute("message")
        .unwrap();
    // XML cannot hold the last two; line ends stay.
    let expected = HOSTILE.split('\n').map(|line| printable(line).into_owned());
    let expected = expected.collect::<Vec<_>>().join("\n");
    let expected = expected
        .replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}");
    assert_eq!(message, expected);
}

fn count(node: Node<'_, '_>, name: &str) -> usize {
    node.descendants()
        .filter(|node| node.has_tag_name(name))
        .count()
}
