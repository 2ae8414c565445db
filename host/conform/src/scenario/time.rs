//! Times as they are shown: exactly, and in a unit that keeps them short.

/// Nanoseconds from the begin.
pub(super) fn show(nanos: u64) -> String {
    let (unit, size) = match nanos {
        0 => return "0 s".to_owned(),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("us", 1_000),
        1_000_000..10_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let (whole, rest) = (nanos / size, nanos % size);
    if rest == 0 {
        return format!("{whole} {unit}");
    }
    let digits = size.ilog10() as usize;
    let rest = format!("{rest:0digits$}");
    format!("{whole}.{} {unit}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::show;

    #[test]
    fn times_are_exact_and_short() {
        for (nanos, text) in [
            (0, "0 s"),
            (999, "999 ns"),
            (1_500, "1.5 us"),
            (25_000_000, "25 ms"),
            (25_000_001, "25.000001 ms"),
            (9_500_000_000, "9500 ms"),
            (12_000_000_010, "12.00000001 s"),
        ] {
            assert_eq!(show(nanos), text);
        }
    }
}
