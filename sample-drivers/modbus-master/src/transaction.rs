//! One question to the slave and its answer, as Modbus RTU frames.

use rmodbus::client::ModbusRequest;
use rmodbus::{ErrorKind, ModbusProto};

/// The most registers that one answer has room for.
pub(crate) const COUNT_MAX: u16 = 125;

/// An answer that says no.
const EXCEPTION_BYTES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// Holding registers: function 3.
    Read { first: u16, count: u16 },
    /// One holding register: function 6.
    Write { register: u16, value: u16 },
}

/// What the slave says: the registers that were read, or why not.
pub(crate) type Answer = Result<Vec<u16>, ErrorKind>;

impl Transaction {
    /// The frame that asks the slave `unit`.
    pub(crate) fn request(self, unit: u8) -> Result<Vec<u8>, ErrorKind> {
        let mut frame = Vec::new();
        self.generate(unit, &mut frame)?;
        Ok(frame)
    }

    /// The answer, if there is one somewhere in what was heard: noise, and
    /// answers that came too late, may stand before it.
    pub(crate) fn answer(self, unit: u8, heard: &[u8]) -> Option<Answer> {
        let mut request = Vec::new();
        let asked = self.generate(unit, &mut request).ok()?;
        let refused = |frame: &&[u8]| frame[1] == request[1] | 0x80;
        let mut refusals = heard.windows(EXCEPTION_BYTES).filter(refused);
        let refusal = refusals.find_map(|frame| {
            asked
                .parse_ok(frame)
                .err()
                .filter(ErrorKind::is_modbus_error)
        });
        if let Some(refusal) = refusal {
            return Some(Err(refusal));
        }
        match self {
            // The answer repeats the request.
            Self::Write { .. } => {
                let mut frames = heard.windows(request.len());
                frames.any(|frame| frame == request).then(|| Ok(Vec::new()))
            }
            Self::Read { count, .. } => {
                let bytes = usize::from(count) * 2;
                let frames = heard.windows(5 + bytes);
                let mut frames = frames.filter(|frame| usize::from(frame[2]) == bytes);
                frames.find_map(|frame| {
                    let mut registers = Vec::new();
                    asked.parse_u16(frame, &mut registers).ok()?;
                    Some(Ok(registers))
                })
            }
        }
    }

    fn generate(self, unit: u8, frame: &mut Vec<u8>) -> Result<ModbusRequest, ErrorKind> {
        let mut request = ModbusRequest::new(unit, ModbusProto::Rtu);
        match self {
            Self::Read { first, count } => {
                request.generate_get_holdings(first, count, frame)?;
            }
            Self::Write { register, value } => {
                request.generate_set_holding(register, value, frame)?;
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Transaction = Transaction::Read {
        first: 0x6b,
        count: 3,
    };
    const WRITE: Transaction = Transaction::Write {
        register: 1,
        value: 3,
    };
    /// From the Modbus application protocol's examples, framed for unit 17.
    const REGISTERS: [u8; 11] = [0x11, 3, 6, 0x02, 0x2b, 0, 0, 0, 0x64, 0xc8, 0xba];

    #[test]
    fn requests_are_frames_with_their_sum() {
        assert_eq!(
            READ.request(17).unwrap(),
            [0x11, 3, 0, 0x6b, 0, 3, 0x76, 0x87]
        );
        assert_eq!(
            WRITE.request(17).unwrap(),
            [0x11, 6, 0, 1, 0, 3, 0x9a, 0x9b]
        );
    }

    #[test]
    fn an_answer_is_found_once_it_is_whole_and_behind_noise() {
        for heard in 0..REGISTERS.len() {
            assert_eq!(READ.answer(17, &REGISTERS[..heard]), None);
        }
        let noisy = [b"\x11\x03\xff\0".as_slice(), &REGISTERS].concat();
        assert_eq!(READ.answer(17, &noisy), Some(Ok(vec![0x22b, 0, 0x64])));
        assert_eq!(READ.answer(18, &REGISTERS), None, "another slave's");
    }

    #[test]
    fn late_answers_to_other_questions_are_not_taken() {
        let echo = WRITE.request(17).unwrap();
        assert_eq!(WRITE.answer(17, &REGISTERS), None);
        assert_eq!(
            WRITE.answer(17, &[REGISTERS.as_slice(), &echo].concat()),
            Some(Ok(vec![]))
        );
        let other = Transaction::Write {
            register: 2,
            value: 3,
        };
        assert_eq!(other.answer(17, &echo), None);
    }

    #[test]
    fn a_wrong_sum_is_no_answer() {
        let mut broken = REGISTERS;
        broken[4] ^= 1;
        assert_eq!(READ.answer(17, &broken), None);
    }

    #[test]
    fn a_refusal_names_its_reason() {
        let refusal = [0x11, 0x83, 2, 0xc1, 0x34];
        assert_eq!(
            READ.answer(17, &refusal),
            Some(Err(ErrorKind::IllegalDataAddress))
        );
        assert_eq!(
            WRITE.answer(17, &refusal),
            None,
            "it refuses another function"
        );
    }
}
