//! One question to the slave and its answer, as Modbus RTU frames.

use rmodbus::client::ModbusRequest;
use rmodbus::{ErrorKind, ModbusProto};

/// The most registers that one answer has room for.
pub(crate) const COUNT_MAX: u16 = 125;

/// An answer that says no, in bytes.
const REFUSAL: usize = 5;

/// What the slave is asked.
pub(crate) struct Question {
    asked: ModbusRequest,
    pub(crate) frame: Vec<u8>,
}

impl Question {
    /// For `count` holding registers: function 3.
    pub(crate) fn read(unit: u8, first: u16, count: u16) -> Result<Self, ErrorKind> {
        let (mut asked, mut frame) = (ModbusRequest::new(unit, ModbusProto::Rtu), Vec::new());
        asked.generate_get_holdings(first, count, &mut frame)?;
        Ok(Self { asked, frame })
    }

    /// To set one holding register: function 6.
    pub(crate) fn write(unit: u8, register: u16, value: u16) -> Result<Self, ErrorKind> {
        let (mut asked, mut frame) = (ModbusRequest::new(unit, ModbusProto::Rtu), Vec::new());
        asked.generate_set_holding(register, value, &mut frame)?;
        Ok(Self { asked, frame })
    }

    /// The answer, if there is one somewhere in what was heard: noise, and
    /// answers that came too late, may stand around it. The registers that
    /// were read, none for a write; or why the slave refuses.
    pub(crate) fn answer(&self, heard: &[u8]) -> Option<Result<Vec<u16>, ErrorKind>> {
        let refusals = heard
            .windows(REFUSAL)
            .filter(|frame| frame[1] == self.frame[1] | 0x80);
        let mut refusals = refusals.filter_map(|frame| self.asked.parse_ok(frame).err());
        if let Some(refusal) = refusals.find(ErrorKind::is_modbus_error) {
            return Some(Err(refusal));
        }
        if self.asked.func.is_write() {
            // The answer repeats the question.
            let mut frames = heard.windows(self.frame.len());
            return frames
                .any(|frame| frame == self.frame)
                .then(|| Ok(Vec::new()));
        }
        let bytes = usize::from(self.asked.count) * 2;
        let frames = heard.windows(5 + bytes);
        let mut frames = frames.filter(|frame| usize::from(frame[2]) == bytes);
        frames.find_map(|frame| {
            let mut registers = Vec::new();
            self.asked.parse_u16(frame, &mut registers).ok()?;
            Some(Ok(registers))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the examples of the Modbus application protocol, framed for unit 17.
    const REGISTERS: [u8; 11] = [0x11, 3, 6, 0x02, 0x2b, 0, 0, 0, 0x64, 0xc8, 0xba];

    fn read() -> Question {
        Question::read(17, 0x6b, 3).unwrap()
    }

    fn write() -> Question {
        Question::write(17, 1, 3).unwrap()
    }

    #[test]
    fn questions_are_frames_with_their_sum() {
        assert_eq!(read().frame, [0x11, 3, 0, 0x6b, 0, 3, 0x76, 0x87]);
        assert_eq!(write().frame, [0x11, 6, 0, 1, 0, 3, 0x9a, 0x9b]);
    }

    #[test]
    fn an_answer_is_found_once_it_is_whole_and_behind_noise() {
        for heard in 0..REGISTERS.len() {
            assert_eq!(read().answer(&REGISTERS[..heard]), None);
        }
        let noisy = [b"\x11\x03\xff\0".as_slice(), &REGISTERS].concat();
        assert_eq!(read().answer(&noisy), Some(Ok(vec![0x22b, 0, 0x64])));
        let another = Question::read(18, 0x6b, 3).unwrap();
        assert_eq!(another.answer(&REGISTERS), None, "from another slave");
    }

    #[test]
    fn late_answers_to_other_questions_are_not_taken() {
        assert_eq!(write().answer(&REGISTERS), None);
        let both = [REGISTERS.as_slice(), &write().frame].concat();
        assert_eq!(write().answer(&both), Some(Ok(vec![])));
        let other = Question::write(17, 2, 3).unwrap();
        assert_eq!(other.answer(&both), None);
    }

    #[test]
    fn a_wrong_sum_is_no_answer() {
        let mut broken = REGISTERS;
        broken[4] ^= 1;
        assert_eq!(read().answer(&broken), None);
    }

    #[test]
    fn a_refusal_names_its_reason() {
        let refusal = [0x11, 0x83, 2, 0xc1, 0x34];
        assert_eq!(
            read().answer(&refusal),
            Some(Err(ErrorKind::IllegalDataAddress))
        );
        assert_eq!(
            write().answer(&refusal),
            None,
            "it refuses another function"
        );
    }
}
