//! Quantities as people write them in a board file: `10 ms`, `4 MiB`,
//! `16 KiB/s`.

use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;

/// A span of time written as `10 ms`, `1.5 s`, `250 us`, `2 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub struct Span(pub Duration);

/// A number of bytes written as `64 KiB`, `4 MiB`, `512 B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub struct Bytes(pub u64);

/// Bytes a second, written as `16 KiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub struct Rate(pub u64);

/// `1.5 s` into (1.5, `s`).
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

/// Parses a span of time.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a span of time; write for example `10 ms`, `1.5 s`, `250 us` or `2 min`"
        )
    };
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let nanos = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "min" => 60e9,
        "h" => 3600e9,
        _ => return Err(wrong()),
    } * number;
    // A century is longer than any board runs, and far from overflow.
    if nanos > 3.2e18 {
        return Err(format!("`{text}` is longer than a hundred years"));
    }
    #[expect(clippy::cast_sign_loss, reason = "`split` accepts no sign")]
    Ok(Duration::from_nanos(nanos.round() as u64))
}

/// Parses a size in bytes.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a size; write for example `64 KiB`, `4 MiB` or `512 B`");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let factor = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number * factor;
    if bytes > 1e15 {
        return Err(format!("`{text}` is more memory than any machine has"));
    }
    #[expect(clippy::cast_sign_loss, reason = "`split` accepts no sign")]
    Ok(bytes.round() as u64)
}

/// Parses a rate in bytes a second.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    text.trim()
        .strip_suffix("/s")
        .and_then(|size| parse_bytes(size).ok())
        .ok_or_else(|| format!("`{text}` is not a rate; write for example `16 KiB/s`"))
}

/// A span of time as people write it, in the unit that keeps it short.
pub fn show_span(span: Duration) -> String {
    let nanos = span.as_nanos();
    for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if nanos >= size && nanos.is_multiple_of(size) {
            return format!("{} {unit}", nanos / size);
        }
    }
    format!("{nanos} ns")
}

/// A size as people write it, in the unit that keeps it short.
pub fn show_bytes(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}

macro_rules! deserialize_with {
    ($type:ident, $parse:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $parse(&String::deserialize(from)?)
                    .map($type)
                    .map_err(D::Error::custom)
            }
        }
    };
}
deserialize_with!(Span, parse_span);
deserialize_with!(Bytes, parse_bytes);
deserialize_with!(Rate, parse_rate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, nanos, shown) in [
            ("10 ms", 10_000_000, "10 ms"),
            ("1.5 s", 1_500_000_000, "1500 ms"),
            ("250us", 250_000, "250 us"),
            ("0 ms", 0, "0 ns"),
            ("2 min", 120_000_000_000, "120 s"),
        ] {
            let span = parse_span(text).unwrap();
            assert_eq!(span.as_nanos(), nanos, "{text}");
            assert_eq!(show_span(span), shown, "{text}");
        }
        for text in [
            "",
            "10",
            "ms",
            "-1 ms",
            "1 fortnight",
            "1e9 s",
            "99999 h 1",
            "9999999999 h",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_rates_are_read_and_shown() {
        assert_eq!(parse_bytes("4 MiB"), Ok(4 << 20));
        assert_eq!(parse_rate("16 KiB/s"), Ok(16 << 10));
        assert_eq!(show_bytes(4 << 20), "4 MiB");
        assert_eq!(show_bytes(1000), "1000 B");
        for text in ["", "4", "4 MB", "-4 MiB", "9999999999 GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
