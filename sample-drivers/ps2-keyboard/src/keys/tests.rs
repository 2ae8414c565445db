use super::*;
use std::collections::BTreeSet;

fn keys(codes: &[u8]) -> Vec<(&'static str, bool)> {
    let mut decoder = Decoder::default();
    let keys = codes.iter().filter_map(|code| decoder.code(*code));
    keys.map(|key| (key.name, key.pressed)).collect()
}

#[test]
fn a_key_is_pressed_held_and_let_go() {
    assert_eq!(
        keys(&[0x1c, 0x1c, 0xf0, 0x1c]),
        [("a", true), ("a", true), ("a", false)]
    );
}

#[test]
fn a_prefix_is_for_one_key() {
    assert_eq!(
        keys(&[0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x75]),
        [("up", true), ("up", false), ("keypad-8", true)]
    );
}

#[test]
fn print_screen_and_pause_are_one_key_each() {
    let print_screen = [0xe0, 0x12, 0xe0, 0x7c, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12];
    assert_eq!(
        keys(&print_screen),
        [("print-screen", true), ("print-screen", false)]
    );
    let pause = [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77, 0x1c];
    assert_eq!(keys(&pause), [("pause", true), ("a", true)]);
}

#[test]
fn what_is_no_key_says_nothing() {
    assert_eq!(keys(&[0xaa, 0xfa, 0x00, 0xff, 0x29]), [("space", true)]);
}

#[test]
fn the_tables_name_no_code_and_no_key_twice() {
    let names = |table: &[(u8, &'static str)]| -> BTreeSet<_> {
        table.iter().map(|(_, name)| *name).collect()
    };
    for table in [KEYS, EXTENDED] {
        let codes: BTreeSet<_> = table.iter().map(|(code, _)| code).collect();
        assert_eq!(codes.len(), table.len());
        assert_eq!(names(table).len(), table.len());
    }
    assert!(names(KEYS).is_disjoint(&names(EXTENDED)));
    for (_, name) in KEYS.iter().chain(EXTENDED) {
        let key = Key {
            name,
            pressed: false,
        };
        let line = format!("{key}\n");
        assert!(
            line.len() <= LINE_MAX && !name.contains(['"', '\\']),
            "{line}"
        );
    }
}
