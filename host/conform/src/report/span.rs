//! Spans of time, in words.

const UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// To the nanosecond, as scenarios write it: `1.000001 s`.
pub(super) fn exact(nanos: u64) -> String {
    let Some((unit, size)) = UNITS.into_iter().find(|&(_, size)| nanos >= size) else {
        return if nanos == 0 {
            "0 s".to_owned()
        } else {
            format!("{nanos} ns")
        };
    };
    decimal(nanos, size, size) + " " + unit
}

/// To three digits, in the unit that keeps it short: `97.2 ms`.
pub(super) fn rough(nanos: u64) -> String {
    let long = [("d", DAY), ("h", HOUR), ("min", MINUTE)];
    let long = long.into_iter().find(|&(_, size)| nanos / 2 >= size);
    let Some((unit, size)) = long.or_else(|| UNITS.into_iter().find(|&(_, size)| nanos >= size))
    else {
        return exact(nanos);
    };
    let parts = match nanos / size {
        0..=9 => 100,
        10..=99 => 10,
        _ => 1,
    };
    decimal(nanos, size, parts) + " " + unit
}

/// `nanos` in units of `size`, in so many parts of one; zeros at the end are left out.
fn decimal(nanos: u64, size: u64, parts: u64) -> String {
    let unit = size / parts;
    let rounded = u128::from(nanos) + u128::from(unit / 2);
    let (whole, rest) = (rounded / u128::from(size), rounded % u128::from(size));
    let digits = parts.ilog10() as usize;
    let all = format!("{whole}.{:0digits$}", rest / u128::from(unit));
    if digits == 0 {
        whole.to_string()
    } else {
        all.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown() {
        let exactly = [0, 7, 560_000, 1_500, 1_000_000_001, 10_800_000_000];
        let shown = exactly.map(exact);
        let words = ["0 s", "7 ns", "560 us", "1.5 us", "1.000000001 s", "10.8 s"];
        assert_eq!(shown, words);
        let roughly = [
            97_234_567,
            1_234_567,
            999_600_000,
            90 * 1_000_000_000,
            2 * DAY,
            31_536_000_000_000_000,
        ];
        let shown = roughly.map(rough);
        assert_eq!(
            shown,
            ["97.2 ms", "1.23 ms", "1000 ms", "90 s", "2 d", "365 d"]
        );
        assert_eq!(exact(u64::MAX), "18446744073.709551615 s");
        assert_eq!(rough(u64::MAX), "213504 d");
    }
}
