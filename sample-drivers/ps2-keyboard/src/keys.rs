//! Keys from the codes of set 2, which keyboards send unless they are told
//! otherwise. 0xf0 before a code: the key was let go. 0xe0: a key of another table.

use std::fmt;

/// What a key is on a keyboard for English.
#[rustfmt::skip]
const KEYS: &[(u8, &str)] = &[
    (0x76, "escape"), (0x05, "f1"), (0x06, "f2"), (0x04, "f3"), (0x0c, "f4"), (0x03, "f5"), (0x0b, "f6"),
    (0x83, "f7"), (0x0a, "f8"), (0x01, "f9"), (0x09, "f10"), (0x78, "f11"), (0x07, "f12"), (0x7e, "scroll-lock"),
    (0x0e, "`"), (0x16, "1"), (0x1e, "2"), (0x26, "3"), (0x25, "4"), (0x2e, "5"), (0x36, "6"), (0x3d, "7"),
    (0x3e, "8"), (0x46, "9"), (0x45, "0"), (0x4e, "-"), (0x55, "="), (0x66, "backspace"),
    (0x0d, "tab"), (0x15, "q"), (0x1d, "w"), (0x24, "e"), (0x2d, "r"), (0x2c, "t"), (0x35, "y"), (0x3c, "u"),
    (0x43, "i"), (0x44, "o"), (0x4d, "p"), (0x54, "["), (0x5b, "]"), (0x5d, "backslash"),
    (0x58, "caps-lock"), (0x1c, "a"), (0x1b, "s"), (0x23, "d"), (0x2b, "f"), (0x34, "g"), (0x33, "h"), (0x3b, "j"),
    (0x42, "k"), (0x4b, "l"), (0x4c, ";"), (0x52, "'"), (0x5a, "enter"),
    (0x12, "left-shift"), (0x61, "<"), (0x1a, "z"), (0x22, "x"), (0x21, "c"), (0x2a, "v"), (0x32, "b"), (0x31, "n"),
    (0x3a, "m"), (0x41, ","), (0x49, "."), (0x4a, "/"), (0x59, "right-shift"),
    (0x14, "left-control"), (0x11, "left-alt"), (0x29, "space"), (0x77, "num-lock"),
    (0x7c, "keypad-*"), (0x7b, "keypad--"), (0x79, "keypad-+"), (0x71, "keypad-."), (0x70, "keypad-0"),
    (0x69, "keypad-1"), (0x72, "keypad-2"), (0x7a, "keypad-3"), (0x6b, "keypad-4"), (0x73, "keypad-5"),
    (0x74, "keypad-6"), (0x6c, "keypad-7"), (0x75, "keypad-8"), (0x7d, "keypad-9"),
];

/// After 0xe0.
#[rustfmt::skip]
const EXTENDED: &[(u8, &str)] = &[
    (0x11, "right-alt"), (0x14, "right-control"), (0x1f, "left-meta"), (0x27, "right-meta"), (0x2f, "menu"),
    (0x5a, "keypad-enter"), (0x4a, "keypad-/"), (0x7c, "print-screen"), (0x70, "insert"), (0x71, "delete"),
    (0x6c, "home"), (0x69, "end"), (0x7d, "page-up"), (0x7a, "page-down"),
    (0x75, "up"), (0x72, "down"), (0x6b, "left"), (0x74, "right"),
];

/// 0xe1 and seven codes more: this key alone is so long, and is never let go.
const PAUSE: &str = "pause";
const PAUSE_REST: u8 = 7;

/// A key was pressed, or let go. One that is held is pressed again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) pressed: bool,
}

/// Makes keys of codes.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    extended: bool,
    released: bool,
    pause_left: u8,
}

impl Decoder {
    /// `None` within a key, and for what is none: the keyboard's answers, and the
    /// shifts that it pretends around some keys.
    pub(crate) fn code(&mut self, code: u8) -> Option<Key> {
        if self.pause_left > 0 {
            self.pause_left -= 1;
            return (self.pause_left == 0).then_some(Key {
                name: PAUSE,
                pressed: true,
            });
        }
        match code {
            0xe0 => self.extended = true,
            0xf0 => self.released = true,
            0xe1 => self.pause_left = PAUSE_REST,
            _ => return self.key(code),
        }
        None
    }

    fn key(&mut self, code: u8) -> Option<Key> {
        let prefixes = std::mem::take(self);
        let table = if prefixes.extended { EXTENDED } else { KEYS };
        let (_, name) = table.iter().find(|(known, _)| *known == code)?;
        Some(Key {
            name,
            pressed: !prefixes.released,
        })
    }
}

/// The longest key in print, with a line's end.
pub(crate) const LINE_MAX: usize = 48;

/// One JSON object: `{"key":"a","pressed":true}`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, pressed } = self;
        write!(f, r#"{{"key":"{name}","pressed":{pressed}}}"#)
    }
}

#[cfg(test)]
mod tests;
