//! Sentences of receivers that came before the standard, or did not read it.

use nmea::{Error, NmeaSentence, SentenceType};

/// Parses a sentence; where that fails, once more with no more than the fields
/// that matter here.
///
/// NMEA 2.0 ends GLL with the status, and the parser wants the mode that 2.3
/// added. Motorola's T805 leaves out the direction of RMC's magnetic variation.
pub(super) fn parse<T>(
    sentence: &NmeaSentence<'_>,
    parser: impl for<'a> Fn(NmeaSentence<'a>) -> Result<T, Error<'a>>,
) -> Option<T> {
    let with = |data| NmeaSentence {
        talker_id: sentence.talker_id,
        message_id: sentence.message_id,
        data,
        checksum: sentence.checksum,
    };
    if let Ok(parsed) = parser(with(sentence.data)) {
        return Some(parsed);
    }
    let (fields, rest) = match sentence.message_id {
        SentenceType::RMC => (9, ",,"),
        SentenceType::GLL => (6, ","),
        _ => return None,
    };
    let kept: Vec<_> = sentence.data.split(',').take(fields).collect();
    parser(with(&(kept.join(",") + rest))).ok()
}
