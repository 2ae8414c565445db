//! `digits`, and a MAX7219 that watches its three lines.

use crate::support::{built, samples, show};
use loopgate::{ErrorCode, Request};
use loopgate_integration::{assert_running, refused};
use std::sync::{Arc, Mutex};

/// The chip, as its datasheet has it: data is shifted in with each rising edge of the
/// clock, and the last 16 bits are latched with the rising edge of LOAD.
#[derive(Default)]
struct Max7219 {
    data: bool,
    shifted: u16,
    /// Digits 0 to 7 are 1 to 8; no decode (9), intensity (10), scan limit (11),
    /// shutdown (12), display test (15).
    registers: [u8; 16],
}

impl Max7219 {
    fn change(&mut self, line: &str, high: bool) {
        match (line, high) {
            ("GPIO10", level) => self.data = level,
            ("GPIO11", true) => self.shifted = self.shifted << 1 | u16::from(self.data),
            ("GPIO8", true) => {
                let [register, value] = self.shifted.to_be_bytes();
                self.registers[usize::from(register & 15)] = value;
            }
            _ => {}
        }
    }

    /// What stands there, from the left, read from its segments: DP, A, ..., G.
    fn reads(&self) -> String {
        assert_eq!(self.registers[15], 0, "no display test");
        assert_eq!(self.registers[12], 1, "switched on");
        assert_eq!((self.registers[9], self.registers[11]), (0, 7));
        let digit = |segments: u8| match segments & 0x7f {
            0x00 => ' ',
            0x01 => '-',
            0x7e => '0',
            0x30 => '1',
            0x6d => '2',
            0x79 => '3',
            0x33 => '4',
            0x5b => '5',
            0x5f => '6',
            0x70 => '7',
            0x7f => '8',
            0x7b => '9',
            other => panic!("segments {other:#x}"),
        };
        let point = |segments: u8| (segments & 0x80 != 0).then_some('.');
        let digits = self.registers[1..=8].iter().rev();
        digits
            .flat_map(|&segments| [Some(digit(segments)), point(segments)])
            .flatten()
            .collect()
    }
}

#[test]
fn the_digits_are_what_was_to_be_shown() {
    let board = built(samples());
    let chip = Arc::new(Mutex::new(Max7219::default()));
    let watched = chip.clone();
    board.sim().observe(move |change| {
        watched.lock().unwrap().change(change.line, change.high);
    });
    // Once more, with the chip there.
    board.stop_driver("digits").unwrap();
    board.start_driver("digits").unwrap();
    assert_running(&board, "digits");
    let reads = || chip.lock().unwrap().reads();
    assert_eq!(reads(), "        ");
    assert_eq!(chip.lock().unwrap().registers[10], 7);
    for (text, shown) in [
        ("3.14", "     3.14"),
        ("-0123456", "-0123456"),
        ("7.8.9.", "     7.8.9."),
        ("", "        "),
        ("1.2.3.4.5.6.7.8.", "1.2.3.4.5.6.7.8."),
    ] {
        show(&board, "digits", text);
        assert_eq!(reads(), shown);
    }
    for text in ["123456789", "1..2", ".5"] {
        let code = refused(&board, "digits", Request::named("show").data(text)).code;
        assert_eq!(code, ErrorCode::BadArgument, "{text}");
    }
    assert_eq!(reads(), "1.2.3.4.5.6.7.8.");
}
