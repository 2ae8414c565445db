//! What a GPS receiver says.

use std::path::Path;

/// A log of a real receiver, beside the repository.
const LOG: &str = "../shared/data/nmea/bu353s4.log";
const FEW: usize = 3;

/// Sentences with a position, and where they come from.
pub(super) fn sentences(root: &Path) -> (Vec<String>, &'static str) {
    let log = std::fs::read(root.join(LOG)).unwrap_or_default();
    let recorded = positions(&String::from_utf8_lossy(&log));
    if recorded.len() == FEW {
        (recorded, "recorded from a real receiver")
    } else {
        (generated(), "generated")
    }
}

fn positions(log: &str) -> Vec<String> {
    let valid = |line: &&str| line.starts_with("$GPRMC,") && line.split(',').nth(2) == Some("A");
    let lines = log.lines().filter(valid).take(FEW);
    lines.map(|line| line.trim_end().to_owned()).collect()
}

/// One a second, going north.
fn generated() -> Vec<String> {
    let sentences = (0..FEW).map(|second| {
        let sentence = format!(
            "GPRMC,12000{second}.00,A,5231.{:04},N,01324.4000,E,3.6,0.0,210626,,,A",
            1000 + 20 * second
        );
        let sum = sentence.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${sentence}*{sum:02X}")
    });
    sentences.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sentences_with_a_position_are_taken() {
        let log = "$GPRMC,1,V,,*00\n$GPGGA,1,A*00\r\n$GPRMC,2,A,x*00\r\n\u{fffd}$GPRMC,3,A";
        assert_eq!(positions(log), ["$GPRMC,2,A,x*00"]);
    }

    #[test]
    fn without_a_log_there_are_generated_ones() {
        let (sentences, origin) = sentences(Path::new("/nowhere"));
        assert_eq!(origin, "generated");
        assert_eq!(sentences.len(), FEW);
        // What the exclusive or of all between `$` and `*` is.
        for sentence in sentences {
            let (bytes, sum) = sentence[1..].split_once('*').unwrap();
            let sum = u8::from_str_radix(sum, 16).unwrap();
            assert_eq!(bytes.bytes().fold(sum, |sum, byte| sum ^ byte), 0);
        }
    }
}
