use super::*;

const US: u64 = 1_000;

/// Marks and spaces in microseconds, turned into what the decoder makes of
/// them.
#[derive(Default)]
struct Sender {
    time: u64,
    decoder: Decoder,
    keys: Vec<Key>,
}

impl Sender {
    fn edge(&mut self, mark: bool) {
        self.keys.extend(self.decoder.edge(self.time, mark));
    }

    fn pulse(&mut self, mark: u64, space: u64) {
        self.edge(true);
        self.time += mark * US;
        self.edge(false);
        self.time += space * US;
    }

    /// A frame of these bytes, with every mark longer by `stretch` and every
    /// space shorter by as much.
    fn frame(&mut self, bytes: [u8; 4], stretch: u64) {
        self.pulse(9_000 + stretch, 4_500 - stretch);
        let bits = u32::from_le_bytes(bytes);
        for index in 0..32 {
            let space = if bits >> index & 1 == 1 { 1_688 } else { 562 };
            self.pulse(562 + stretch, space - stretch);
        }
        self.pulse(562 + stretch, 40_000);
    }

    fn repeat(&mut self) {
        self.pulse(9_000, 2_250);
        self.pulse(562, 96_000);
    }
}

const ONE_KEY: [u8; 4] = [0x40, 0xbf, 0x01, 0xfe];
const CODE: Code = Code {
    address: 0x40,
    command: 0x01,
};

#[test]
fn a_key_and_its_repeats() {
    let mut remote = Sender::default();
    remote.frame(ONE_KEY, 0);
    remote.repeat();
    remote.repeat();
    let repeat = Key::Repeat(Some(CODE));
    assert_eq!(remote.keys, [Key::Code(CODE), repeat, repeat]);
}

#[test]
fn a_receiver_that_stretches_marks() {
    let mut remote = Sender::default();
    remote.frame(ONE_KEY, 200);
    assert_eq!(remote.keys, [Key::Code(CODE)]);
}

#[test]
fn an_extended_address() {
    let mut remote = Sender::default();
    remote.frame([0x34, 0x12, 0x07, 0xf8], 0);
    let code = Code {
        address: 0x1234,
        command: 7,
    };
    assert_eq!(remote.keys, [Key::Code(code)]);
}

#[test]
fn a_command_that_fails_its_check_is_no_key_and_is_not_repeated() {
    let mut remote = Sender::default();
    remote.frame(ONE_KEY, 0);
    remote.frame([0x40, 0xbf, 0x01, 0xff], 0);
    remote.repeat();
    assert_eq!(remote.keys, [Key::Code(CODE), Key::Repeat(None)]);
}

#[test]
fn noise_before_within_and_after() {
    let mut remote = Sender::default();
    for length in 1..200 {
        remote.pulse(length * 37 % 997, length * 61 % 1_499);
    }
    remote.frame(ONE_KEY, 0);
    // A spike in a leader's space costs that frame alone.
    remote.pulse(9_000, 2_000);
    remote.pulse(20, 2_480);
    remote.frame(ONE_KEY, 0);
    assert_eq!(remote.keys, [Key::Code(CODE), Key::Code(CODE)]);
}

#[test]
fn a_frame_that_breaks_off_leaves_nothing_behind() {
    let mut remote = Sender::default();
    remote.pulse(9_000, 4_500);
    for _ in 0..20 {
        remote.pulse(562, 1_688);
    }
    remote.time += 1_000_000 * US;
    remote.frame(ONE_KEY, 0);
    assert_eq!(remote.keys, [Key::Code(CODE)]);
}

#[test]
fn lost_edges_lose_their_frame_only() {
    let mut remote = Sender::default();
    remote.pulse(9_000, 4_500);
    remote.pulse(562, 562);
    remote.decoder = Decoder::default();
    for _ in 0..31 {
        remote.pulse(562, 562);
    }
    remote.pulse(562, 40_000);
    assert_eq!(remote.keys, []);
    remote.frame(ONE_KEY, 0);
    assert_eq!(remote.keys, [Key::Code(CODE)]);
}

#[test]
fn two_edges_of_one_kind_mean_that_one_was_missed() {
    let mut remote = Sender::default();
    remote.pulse(9_000, 4_500);
    remote.edge(true);
    remote.time += 1_125 * US;
    for _ in 0..31 {
        remote.pulse(562, 562);
    }
    remote.pulse(562, 40_000);
    assert_eq!(remote.keys, []);
}

#[test]
fn time_that_goes_back_is_noise() {
    let mut decoder = Decoder::default();
    for time in (0..1_000).rev() {
        assert_eq!(decoder.edge(time * US, time % 2 == 0), None);
    }
}

#[test]
fn a_key_prints_as_one_json_object() {
    assert_eq!(
        Key::Code(CODE).to_string(),
        r#"{"kind":"code","address":64,"command":1}"#
    );
    assert_eq!(
        Key::Repeat(None).to_string(),
        r#"{"kind":"repeat","address":null,"command":null}"#
    );
}

#[test]
fn the_longest_line_is_as_long_as_said() {
    let longest = Code {
        address: u16::MAX,
        command: u8::MAX,
    };
    let lengths = [
        Key::Repeat(Some(longest)),
        Key::Repeat(None),
        Key::Code(longest),
    ]
    .map(|key| key.to_string().len() + 1);
    assert_eq!(lengths.into_iter().max(), Some(LINE_MAX));
}

#[test]
fn a_stop_mark_that_is_a_spike_ends_no_frame() {
    let mut remote = Sender::default();
    remote.pulse(9_000, 2_250);
    remote.pulse(20, 96_000);
    assert_eq!(remote.keys, []);
}
