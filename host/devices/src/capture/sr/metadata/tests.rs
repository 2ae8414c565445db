use super::*;

const WHOLE: &str = "[global]\nsigrok version=0.5.0\n\n[device 1]\ncapturefile=logic-1\n\
    total probes=8\nsamplerate=24 MHz\ntotal analog=0\nprobe4=Clock\nprobe3=Data\nunitsize=1\n";

fn error(text: &str) -> String {
    match Metadata::parse(text.as_bytes()) {
        Err(Problem::Malformed(problem) | Problem::TooLarge(problem)) => problem,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn channels_lie_where_their_number_says() {
    let metadata = Metadata::parse(WHOLE.as_bytes()).unwrap();
    let channel = |name: &str, bit| Channel {
        name: name.to_owned(),
        bit,
    };
    assert_eq!(metadata.channels, [channel("Data", 2), channel("Clock", 3)]);
    assert_eq!(metadata.capture_file, "logic-1");
    assert_eq!((metadata.sample_rate, metadata.unit), (24_000_000, 1));
}

#[test]
fn rates_are_whole_hertz() {
    let table = [
        ("1 MHz", 1_000_000),
        ("1.5 kHz", 1_500),
        ("200 Hz", 200),
        ("24000000", 24_000_000),
        ("500k", 500_000),
        ("1 GHz", 1_000_000_000),
        ("0.000001 MHz", 1),
    ];
    for (text, rate) in table {
        assert_eq!(sample_rate(text).unwrap(), rate, "{text}");
    }
}

#[test]
fn absurd_rates_are_refused() {
    let numbers = [
        "0", "0 MHz", "", "MHz", "-1 MHz", "1.5 Hz", "1 THz", "1e6", "1 2 Hz", "٣ Hz",
    ];
    let points = [
        ".5 MHz",
        "1.2.3 MHz",
        "99999999999999999999 Hz",
        "0.0000000000000000001 GHz",
    ];
    for text in numbers.into_iter().chain(points) {
        assert!(
            matches!(sample_rate(text), Err(Problem::Malformed(_))),
            "{text}"
        );
    }
    for text in ["2 GHz", "1.000000001 GHz", "999999999999999999 GHz"] {
        assert!(
            matches!(sample_rate(text), Err(Problem::TooLarge(_))),
            "{text}"
        );
    }
}

#[test]
fn absurd_units_are_refused() {
    let with = |unit: &str| WHOLE.replace("unitsize=1", &format!("unitsize={unit}"));
    assert!(error(&with("0")).contains("`unitsize` is `0`"));
    assert!(error(&with("-1")).contains("`unitsize` is `-1`"));
    assert!(error(&with("99999999999999999999")).contains("`unitsize` is"));
    assert!(error(&with("18446744073709551615")).contains("`unitsize` is"));
    assert!(error(&with("9")).contains("9 bytes each and at most 8"));
    assert!(error(&with("4294967296")).contains("at most 8"));
}

#[test]
fn without_a_unit_the_probes_tell_it() {
    let with = |probes| {
        let text = WHOLE
            .replace("unitsize=1\n", "")
            .replace("total probes=8", probes);
        Metadata::parse(text.as_bytes()).map(|metadata| metadata.unit)
    };
    assert_eq!(with("total probes=8").unwrap(), 1);
    assert_eq!(with("total probes=9").unwrap(), 2);
    assert_eq!(with("total probes=64").unwrap(), 8);
    assert!(matches!(with("total probes=65"), Err(Problem::TooLarge(_))));
    assert!(matches!(with("total probes=0"), Err(Problem::Malformed(_))));
    assert!(matches!(with(""), Err(Problem::Malformed(_))));
}

#[test]
fn what_is_missing_is_named() {
    for key in ["capturefile", "samplerate"] {
        let text = WHOLE.replace(key, "other");
        assert!(error(&text).contains(&format!("`{key}`")), "{key}");
    }
    assert!(error(&WHOLE.replace("[device 1]", "[device 2]")).contains("[device 1]"));
    assert!(error(&WHOLE.replace("probe", "prob")).contains("names no channel"));
}

#[test]
fn channels_that_cannot_be_are_refused() {
    let with = |line: &str| WHOLE.replace("probe4=Clock", line);
    assert!(error(&with("probe9=Clock")).contains("`probe9` has no place"));
    assert!(error(&with("probe0=Clock")).contains("`probe0` has no place"));
    assert!(error(&with("probe4=Data")).contains("more than one channel `Data`"));
    assert!(error(&with("probe4=A\nprobe04=B")).contains("more than one channel"));
    assert!(error(&with("probe4=")).contains("`probe4` is ``"));
    assert!(error(&with("probe4=a\u{1b}[31mb")).contains("`probe4` is `a\\u{1b}[31mb`"));
    assert!(
        error(&with(&format!("probe4={}", "x".repeat(65)))).contains("65 bytes and at most 64")
    );
}

#[test]
fn errors_show_only_the_beginning_of_what_they_refuse() {
    let text = WHOLE.replace("24 MHz", &"\u{7}".repeat(10_000));
    assert!(error(&text).len() < 1000);
}

#[test]
fn text_that_is_none_is_refused() {
    assert!(matches!(
        Metadata::parse(b"[device 1]\n\xff"),
        Err(Problem::Malformed(_))
    ));
    assert!(matches!(Metadata::parse(b""), Err(Problem::Malformed(_))));
}
