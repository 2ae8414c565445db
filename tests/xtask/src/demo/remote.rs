//! What a receiver of infrared sees of a remote control, as a logic analyser
//! would record it.

use std::fmt::Write as _;

/// A recording of a key for each of `commands`, with the channel `IR`: the
/// NEC protocol, as `sample-drivers/ir-nec/src/nec.rs` describes it.
pub(super) fn recording(address: u8, commands: &[u8]) -> String {
    let head = "$timescale 1 us $end\n$var wire 1 ! IR $end\n$enddefinitions $end\n#0\n1!\n";
    let mut recording = Recording {
        text: head.to_owned(),
        time: 0,
    };
    recording.space(10_000);
    for &command in commands {
        recording.frame(address, command);
    }
    recording.text
}

struct Recording {
    text: String,
    /// In microseconds.
    time: u64,
}

impl Recording {
    fn frame(&mut self, address: u8, command: u8) {
        self.pulse(9_000, 4_500);
        for byte in [address, !address, command, !command] {
            for bit in 0..8 {
                let one = byte >> bit & 1 == 1;
                self.pulse(562, if one { 1_688 } else { 563 });
            }
        }
        self.pulse(562, 40_000);
    }

    /// The receiver pulls its line low while it sees the carrier.
    fn pulse(&mut self, mark: u64, space: u64) {
        self.level(0);
        self.time += mark;
        self.level(1);
        self.space(space);
    }

    /// A time of its own also where nothing changes: the recording ends with
    /// its last.
    fn space(&mut self, length: u64) {
        self.time += length;
        let _ = writeln!(self.text, "#{}", self.time);
    }

    fn level(&mut self, level: u8) {
        let _ = writeln!(self.text, "#{}\n{level}!", self.time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_leader_32_bits_and_a_stop_mark() {
        let text = recording(0x40, &[1]);
        assert_eq!(text.matches("0!").count(), 1 + 32 + 1);
        assert!(text.contains("#10000\n0!\n#19000\n1!\n#23500\n"));
        let last = text.lines().next_back().unwrap();
        // 16 zeros and 16 ones, since each byte comes with its inverse.
        let bits = 16 * (562 + 563) + 16 * (562 + 1_688);
        assert_eq!(last, format!("#{}", 10_000 + 13_500 + bits + 562 + 40_000));
    }
}
