//! What a tty puts between the bytes where it is asked to mark errors
//! (`PARMRK`): `ff 00 00` for a break, `ff 00 xx` for a damaged byte, and
//! `ff ff` for a sound byte of `ff`.

use crate::serial::Wire;

/// How far into a mark the last piece has led.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Marks {
    #[default]
    None,
    /// After `ff`.
    Begun,
    /// After `ff 00`.
    Damage,
}

impl Marks {
    /// Hands over what the bytes stand for: never more than there are.
    pub(super) fn arrive(&mut self, mut bytes: &[u8], wire: &mut Wire) {
        while let Some(&first) = bytes.first() {
            let taken = match self {
                Self::None => {
                    let sound = bytes.iter().position(|byte| *byte == 0xff);
                    let sound = sound.unwrap_or(bytes.len());
                    wire.arrive(&bytes[..sound]);
                    *self = Self::Begun;
                    sound + 1
                }
                Self::Begun if first == 0 => {
                    *self = Self::Damage;
                    1
                }
                Self::Begun => {
                    wire.arrive(&[first]);
                    *self = Self::None;
                    1
                }
                Self::Damage => {
                    match first {
                        0 => wire.arrive_break(),
                        byte => wire.arrive_damaged(byte),
                    }
                    *self = Self::None;
                    1
                }
            };
            if taken > bytes.len() {
                *self = Self::None;
                return;
            }
            bytes = &bytes[taken..];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loopgate_workloop::{Clock, VirtualClock};

    use super::*;

    /// However the bytes are cut into pieces.
    #[test]
    fn marks_become_what_they_stand_for() {
        let stream = b"ab\xff\xff\xff\x00\x00c\xff\x00d\xff\x00\xff\xff\x00\x00\xff\xffe";
        for piece in 1..=stream.len() {
            let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new());
            let mut wire = Wire::new(100, &clock);
            let mut marks = Marks::default();
            for bytes in stream.chunks(piece) {
                marks.arrive(bytes, &mut wire);
            }
            let mut seen = Vec::new();
            for _ in 0..5 {
                let mut bytes = Vec::new();
                wire.read(100, &mut bytes).unwrap();
                let errors = wire.take_line_errors();
                seen.push((bytes, errors.breaks, errors.damaged));
            }
            let expected: [(&[u8], u32, u32); 5] = [
                (b"ab\xff", 1, 0),
                (b"cd", 0, 1),
                (b"\xff", 1, 1),
                (b"\xffe", 0, 0),
                (b"", 0, 0),
            ];
            let expected =
                expected.map(|(bytes, breaks, damaged)| (bytes.to_vec(), breaks, damaged));
            assert_eq!(seen, expected, "in pieces of {piece}");
        }
    }
}
