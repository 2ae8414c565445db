//! What a program is: bytes, of which each step takes as many as it needs. Past
//! its end they are zero.

/// Names that mean something on a board, and some that never do.
const NAMES: [&str; 16] = [
    "in",
    "out",
    "level",
    "shared",
    "port",
    "one",
    "two",
    "neighbour",
    "pins-one",
    "pins-two",
    "lent",
    "lent-out",
    "",
    "\0",
    "\u{202e}",
    "no such thing",
];

const NUMBERS: [u64; 16] = [
    u64::MAX,
    1 << 63,
    (1 << 63) - 1,
    1 << 32,
    u32::MAX as u64,
    1 << 31,
    1 << 20,
    (1 << 20) + 1,
    1 << 16,
    4097,
    250_000_000,
    249_999_999,
    1_000_000_000,
    60_000_000_000,
    1_000_000,
    100_000,
];

pub(crate) struct Program<'a>(&'a [u8]);

impl<'a> Program<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Small ones, and those around which something changes.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=0xef => u64::from(small),
            large => NUMBERS[usize::from(large & 15)],
        }
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.number() as u32
    }

    pub(crate) fn name(&mut self) -> &'static str {
        NAMES[usize::from(self.byte() & 15)]
    }

    /// At most as many bytes as a call may carry, and one more.
    pub(crate) fn text(&mut self) -> String {
        let length = crate::machine::length(self.number());
        let character = char::from(self.byte() & 0x7f);
        String::from(character).repeat(length)
    }
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0) as u8;
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| pair.iter().fold(0, |byte, next| byte << 4 | digit(next)))
        .collect()
}
