use super::*;

const US: u64 = 1_000;

struct Keyboard {
    time: u64,
    frames: Frames,
}

impl Keyboard {
    fn new() -> Self {
        Self {
            time: 0,
            frames: Frames::new(true),
        }
    }

    fn bits(&mut self, bits: &[u32]) -> Option<u8> {
        let mut byte = None;
        for bit in bits {
            self.frames.data(*bit == 1);
            self.time += 80 * US;
            byte = byte.or(self.frames.clock(self.time));
        }
        self.frames.data(true);
        byte
    }

    fn frame(byte: u8) -> [u32; 11] {
        let parity = (byte.count_ones() + 1) % 2;
        let data = |index| u32::from(byte >> index & 1);
        std::array::from_fn(|index| match index {
            0 => 0,
            9 => parity,
            10 => 1,
            _ => data(index - 1),
        })
    }

    fn byte(&mut self, byte: u8) -> Option<u8> {
        self.bits(&Self::frame(byte))
    }

    fn pause(&mut self) {
        self.time += 1_300 * US;
    }
}

#[test]
fn every_byte_comes_as_it_was_sent() {
    let mut keyboard = Keyboard::new();
    for byte in 0..=255 {
        assert_eq!(keyboard.byte(byte), Some(byte));
        // One more edge, which is no start bit.
        assert_eq!(keyboard.bits(&[1]), None);
    }
    assert_eq!(keyboard.frames.errors(), 0);
}

#[test]
fn one_wrong_bit_is_an_error_and_the_next_frame_is_none() {
    for wrong in 1..11 {
        let mut keyboard = Keyboard::new();
        let mut frame = Keyboard::frame(0x1c);
        frame[wrong] ^= 1;
        assert_eq!(keyboard.bits(&frame), None);
        assert_eq!(keyboard.frames.errors(), 1);
        assert_eq!(keyboard.byte(0xf0), None, "there was no gap");
        keyboard.pause();
        assert_eq!(keyboard.byte(0x1c), Some(0x1c));
        assert_eq!(keyboard.frames.errors(), 1);
    }
}

#[test]
fn a_frame_that_ends_early_costs_itself_alone() {
    for length in 1..11 {
        let mut keyboard = Keyboard::new();
        keyboard.bits(&Keyboard::frame(0x1c)[..length]);
        keyboard.pause();
        assert_eq!(keyboard.byte(0xf0), Some(0xf0));
        assert_eq!(keyboard.frames.errors(), 1);
    }
}
