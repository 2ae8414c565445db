//! Text in XML and HTML.

use loopgate::is_printable;

/// `text` between tags. What neither a reader nor XML 1.0 takes is shown by its number.
pub(super) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.extend(c.escape_unicode()),
            c if is_printable(c) => escaped.push(c),
            c => escaped.extend(c.escape_default()),
        }
    }
    escaped
}

/// `value` between quotes, where a parser would take line ends and tabs for spaces.
pub(super) fn attribute(value: &str) -> String {
    text(value).replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let hostile = "</p><script>'\"&\u{0}\u{1b}[2J\u{202e}\u{fffe}\r\n\té";
        assert_eq!(
            text(hostile),
            "&lt;/p&gt;&lt;script&gt;&#39;&quot;&amp;\\u{0}\\u{1b}[2J\\u{202e}\\u{fffe}\\r\n\té"
        );
        assert_eq!(attribute("a\n\tb"), "a&#10;&#9;b");
    }
}
