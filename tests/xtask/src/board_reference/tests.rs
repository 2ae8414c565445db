use super::*;

const SOURCE: &str = r#"
    struct BoardFile {
        /// Lamps.
        #[serde(default, rename = "lamp")]
        lamps: Vec<LampEntry>,
        /// What holds.
        limits: Option<LimitsEntry>,
        #[serde(skip)]
        place: Place,
    }
    struct LampEntry {
        /// Its name,
        /// or another | one.
        name: Spanned<String>,
        /// How bright.
        #[serde(default)]
        how_bright: Brightness,
        /// How bright by day.
        by_day: Option<Brightness>,
        /// How long.
        #[serde(default = "long")]
        length: Bytes,
        /// Whether it is on.
        #[serde(default)]
        on: bool,
        /// Its colours.
        #[serde(default)]
        colours: Vec<u32>,
        /// Its turns.
        #[serde(default)]
        turns: Turns,
        /// A wire.
        #[serde(default)]
        wire: HashMap<String, Wire>,
    }
    enum Brightness {
        /// Dim.
        Dim,
        /// Like the sun.
        #[default]
        AsTheSun,
    }
    enum Turns {
        /// So many.
        Some(u64),
        /// Without end.
        Endless,
    }
    impl Default for Turns {
        fn default() -> Self { Self::Some(3) }
    }
    struct Wire {
        /// From where.
        from: PathBuf,
        /// By colour.
        #[serde(default)]
        ends: BTreeMap<String, Spanned<String>>,
    }
    struct LimitsEntry {
        /// Per day.
        day: Option<Span>,
        /// In sum.
        sum: Option<Rate>,
        /// Never.
        never: Option<u32>,
    }
    impl Default for Limits {
        fn default() -> Self {
            Self { day: Duration::from_millis(10), sum: 16 << 10, other: unknown() }
        }
    }
    fn long() -> Bytes { Bytes(4 << 20) }
"#;

const REFERENCE: &str = r#"
## `[[lamp]]`

Lamps.

| key | value | default | meaning |
|---|---|---|---|
| `name` | text | required | Its name, or another \| one. |
| `how-bright` | `"dim"`, `"as-the-sun"` | `"as-the-sun"` | How bright. `as-the-sun`: Like the sun. |
| `by-day` | `"dim"`, `"as-the-sun"` | `"as-the-sun"` | How bright by day. `as-the-sun`: Like the sun. |
| `length` | size, like `"4 KiB"` | `"4 MiB"` | How long. |
| `on` | `true` or `false` | `false` | Whether it is on. |
| `colours` | list of numbers | none | Its colours. |
| `turns` | number, `"endless"` | `3` | Its turns. A number: So many. `endless`: Without end. |

## `[lamp.wire]`, `NAME = { ... }`

A wire.

| key | value | default | meaning |
|---|---|---|---|
| `from` | path | required | From where. |
| `ends` | table of texts | none | By colour. |

## `[limits]`

What holds.

| key | value | default | meaning |
|---|---|---|---|
| `day` | time, like `"10 ms"` | `"10 ms"` | Per day. |
| `sum` | rate, like `"16 KiB/s"` | `"16 KiB/s"` | In sum. |
| `never` | number | none | Never. |
"#;

fn made_of(text: &str) -> Result<String> {
    let mut sources = Sources::default();
    sources.add(text)?;
    reference(&sources)
}

#[test]
fn each_table_of_a_file_has_its_keys() {
    assert_eq!(made_of(SOURCE).unwrap(), REFERENCE);
}

#[test]
fn what_cannot_be_said_is_an_error_that_names_it() {
    let table = [
        ("name: Spanned<String>", "name: Url", "`Url`"),
        ("/// Its colours.", "", "`colours`"),
        ("#[serde(skip)]", "#[serde(flatten)]", "attribute"),
        ("Bytes(4 << 20)", "compute()", "`length`"),
        ("#[default]", "", "`Brightness`"),
        ("Some(u64)", "Some(u64, u64)", "`Turns`"),
        ("struct BoardFile", "struct Other", "`BoardFile`"),
    ];
    for (right, wrong, part) in table {
        let error = made_of(&SOURCE.replace(right, wrong)).unwrap_err();
        assert!(format!("{error:#}").contains(part), "{wrong}: {error:#}");
    }
}
