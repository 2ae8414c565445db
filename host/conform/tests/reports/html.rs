use std::collections::HashSet;
use std::path::Path;

use loopgate_conform::Report;
use loopgate_conform::report::{Outcome, ScenarioResult};
use roxmltree::{Document, ParsingOptions};

use super::{HOSTILE, all, fixture};

/// The pages are well-formed XML, so that nothing closes what it did not open.
fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).unwrap()
}

#[test]
fn a_page_needs_nothing_and_runs_nothing() {
    for report in all() {
        let page = report.to_html();
        let document = parse(&page);
        let mut ids = HashSet::new();
        let mut links = Vec::new();
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let name = node.tag_name().name();
            let foreign = [
                "script",
                "link",
                "img",
                "iframe",
                "object",
                "embed",
                "foreignObject",
            ];
            assert!(!foreign.contains(&name), "<{name}>");
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                assert!(!key.starts_with("on") && key != "src", "{key}={value}");
                match key {
                    "id" => assert!(ids.insert(value.to_owned()), "{value} twice"),
                    "href" => links.push(value.strip_prefix('#').unwrap().to_owned()),
                    _ => {}
                }
            }
        }
        assert!(links.iter().all(|link| ids.contains(link)));
        assert!(!page.contains("url(") && !page.contains("@import"));
    }
}

#[test]
fn what_a_driver_wrote_stays_text() {
    let shape = |report: &Report| {
        let page = report.to_html();
        let document = parse(&page);
        let elements = document.descendants().filter(roxmltree::Node::is_element);
        let elements =
            elements.map(|node| (node.tag_name().name().to_owned(), node.attributes().len()));
        elements.collect::<Vec<_>>()
    };
    let hostile = fixture::hostile(HOSTILE);
    assert_eq!(
        shape(&hostile),
        shape(&fixture::hostile("harmless, and about as long"))
    );
    let page = hostile.to_html();
    write("hostile", &page);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn checks_scenarios_and_lines_are_there() {
    let report = fixture::mixed();
    let page = report.to_html();
    let document = parse(&page);
    let of_class = |class: &str| {
        let has = |node: &roxmltree::Node<'_, '_>| node.attribute("class") == Some(class);
        document.descendants().filter(has).count()
    };
    let has_lines = |scenario: &&ScenarioResult| !scenario.waves.is_empty();
    let drawn: Vec<_> = report.scenarios.iter().filter(has_lines).collect();
    let failed = |scenario: &&&ScenarioResult| matches!(scenario.outcome, Outcome::Failed(_));
    let failed = drawn.iter().filter(failed).count();
    // What failed is drawn as a whole, and around its failure.
    assert_eq!(of_class("wave"), drawn.len() + failed);
    assert_eq!(of_class("focus"), 2 * failed);
    write("mixed", &page);
    write("conforming", &fixture::conforming().to_html());
}

#[test]
fn a_page_is_bounded_however_busy_a_line_is() {
    for edges in [10_000, 100_000, 400_000] {
        let page = fixture::busy(edges).to_html();
        write(&format!("busy-{edges}"), &page);
        println!("{edges} edges: {} bytes", page.len());
        assert!(
            page.len() < 2_000_000,
            "{edges} edges: {} bytes",
            page.len()
        );
    }
}

/// To be looked at.
fn write(name: &str, page: &str) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}.html"));
    std::fs::write(file, page).unwrap();
}
