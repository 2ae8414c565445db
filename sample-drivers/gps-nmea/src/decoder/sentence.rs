//! Sentences, also of receivers that came before the standard or did not read
//! it.

use nmea::{ParseResult, SentenceType};

/// Parses a sentence whose checksum is right: noise has none. Where the parser
/// is stricter than receivers are, it gets no more than the fields that matter
/// here.
///
/// NMEA 2.0 ends GLL with the status, and the parser wants the mode that 2.3
/// added. Motorola's T805 leaves out the direction of RMC's magnetic variation.
pub(super) fn parse(line: &[u8]) -> Option<ParseResult> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    if let Ok(parsed) = nmea::parse_str(line) {
        return Some(parsed);
    }
    let sentence = nmea::parse_nmea_sentence(line).ok()?;
    let (fields, rest) = match sentence.message_id {
        SentenceType::RMC => (10, ",,"),
        SentenceType::GLL => (7, ","),
        _ => return None,
    };
    if sentence.checksum != sentence.calc_checksum() {
        return None;
    }
    let body = line.strip_prefix('$')?.split('*').next()?;
    let kept: Vec<_> = body.split(',').take(fields).collect();
    let mended = kept.join(",") + rest;
    let sum = mended.bytes().fold(0, |sum, byte| sum ^ byte);
    nmea::parse_str(&format!("${mended}*{sum:02X}")).ok()
}
