//! How values are written in a trace: numbers seven bits a byte, the lowest first
//! (LEB128); lists, texts and options with their length before them; variants by their
//! number. `host/runtime/TRACE.md` has the format.

use crate::bindings::exports::loopgate::driver::handlers::{
    Cause, Circumstances, Outcome, PowerChange, PowerState, Readiness, StructuralEvent, Wake,
};
use crate::bindings::loopgate::driver::gpio::{Direction, Edge};
use crate::bindings::loopgate::driver::i2c::{
    BusError as I2cError, NoAcknowledgeSource, Operation as I2cOperation,
};
use crate::bindings::loopgate::driver::log::Level;
use crate::bindings::loopgate::driver::request::{Arguments, Queueing, Reply, Selector};
use crate::bindings::loopgate::driver::serial::{LineErrors, ModemLines};
use crate::bindings::loopgate::driver::spi::{BusError as SpiError, Operation as SpiOperation};
use crate::bindings::loopgate::driver::types::ErrorCode;
use crate::bindings::loopgate::driver::work_loop::{EventSource, Occurrence};
use crate::interface::wasi_i2c::wit::{
    ErrorCode as WasiError, Granted, NoAcknowledgeSource as WasiNoAcknowledge,
    Operation as WasiOperation,
};
use std::fmt::Write as _;
use wasmtime::component::Resource;

/// More of a list or a text is not shown.
const SHOWN_MAX: usize = 64;

/// What can be written.
pub(crate) trait Put {
    fn put(&self, out: &mut Vec<u8>);

    /// What is in a list, without its length.
    fn put_entries(list: &[Self], out: &mut Vec<u8>)
    where
        Self: Sized,
    {
        for entry in list {
            entry.put(out);
        }
    }
}

/// What can be read again, and be shown to people.
pub(crate) trait Take: Put + Sized {
    /// `None` where that is not there.
    fn take(input: &mut &[u8]) -> Option<Self>;
    fn show(&self, to: &mut String);

    /// A list with its length.
    fn take_list(input: &mut &[u8]) -> Option<Vec<Self>> {
        let length = take_number(input)?;
        // Each entry has one byte at least, so none is made for a length alone.
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(Self::take(input)?);
        }
        Some(list)
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

#[inline]
pub(crate) fn put_number(number: u64, out: &mut Vec<u8>) {
    if number < 0x80 {
        out.push(number as u8);
    } else {
        put_large(number, out);
    }
}

/// Recording is to cost next to nothing, and each handler has two times in it: all
/// bytes at once up to 56 bits, which are two years in nanoseconds.
#[inline]
fn put_large(mut number: u64, out: &mut Vec<u8>) {
    while number >> 56 != 0 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    let halves = number & 0x0fff_ffff | (number & 0xff_ffff_f000_0000) << 4;
    let quarters = halves & 0x3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
    let bytes = quarters & 0x7f_007f_007f_007f | (quarters & 0x3f80_3f80_3f80_3f80) << 1;
    let length = (bytes.max(1).ilog2() / 8) as usize;
    let more = 0x8080_8080_8080_8080 & ((1 << (8 * length)) - 1);
    let end = out.len() + length + 1;
    out.extend_from_slice(&(bytes | more).to_le_bytes());
    out.truncate(end);
}

pub(crate) fn take_number(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        // What does not fit into 64 bits.
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The bytes that follow their number.
pub(crate) fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(input)?;
    let (bytes, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(bytes)
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Put for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                put_number(u64::from(*self), out);
            }
        }
        impl Take for $ty {
            fn take(input: &mut &[u8]) -> Option<Self> {
                take_number(input)?.try_into().ok()
            }
            fn show(&self, to: &mut String) {
                let _ = write!(to, "{self}");
            }
        }
    )*};
}
numbers!(u16 u32 u64);

impl Put for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Take for bool {
    fn take(input: &mut &[u8]) -> Option<Self> {
        match take_number(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    fn show(&self, to: &mut String) {
        let _ = write!(to, "{self}");
    }
}

impl Put for () {
    fn put(&self, _: &mut Vec<u8>) {}
}

impl Take for () {
    fn take(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
    fn show(&self, _: &mut String) {}
}

impl Put for str {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(self.len() as u64, out);
        out.extend_from_slice(self.as_bytes());
    }
}

impl Put for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl Take for String {
    fn take(input: &mut &[u8]) -> Option<Self> {
        let bytes = take_bytes(input)?;
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    }
    fn show(&self, to: &mut String) {
        let shown: String = self.chars().take(SHOWN_MAX).collect();
        let more = if shown.len() < self.len() { "..." } else { "" };
        let _ = write!(to, "{shown:?}{more}");
    }
}

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(self.len() as u64, out);
        T::put_entries(self, out);
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_slice().put(out);
    }
}

/// Bytes are as they are, and so is what lists of them cost.
impl Put for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn put_entries(list: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(list);
    }
}

impl Take for u8 {
    fn take(input: &mut &[u8]) -> Option<Self> {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        Some(byte)
    }
    fn show(&self, to: &mut String) {
        let _ = write!(to, "{self:02x}");
    }
    fn take_list(input: &mut &[u8]) -> Option<Vec<Self>> {
        take_bytes(input).map(<[u8]>::to_vec)
    }
}

impl<T: Take> Take for Vec<T> {
    fn take(input: &mut &[u8]) -> Option<Self> {
        T::take_list(input)
    }
    fn show(&self, to: &mut String) {
        to.push('[');
        for (index, entry) in self.iter().take(SHOWN_MAX).enumerate() {
            if index > 0 {
                to.push(' ');
            }
            entry.show(to);
        }
        if self.len() > SHOWN_MAX {
            let _ = write!(to, " and {} more", self.len() - SHOWN_MAX);
        }
        to.push(']');
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Take> Take for Option<T> {
    fn take(input: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(input)? {
            Some(T::take(input)?)
        } else {
            None
        })
    }
    fn show(&self, to: &mut String) {
        match self {
            Some(value) => value.show(to),
            None => to.push_str("none"),
        }
    }
}

impl<T: Put, E: Put> Put for Result<T, E> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_err().put(out);
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }
}

impl<T: Take, E: Take> Take for Result<T, E> {
    fn take(input: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(input)? {
            Err(E::take(input)?)
        } else {
            Ok(T::take(input)?)
        })
    }
    fn show(&self, to: &mut String) {
        match self {
            Ok(value) => {
                let begin = to.len();
                value.show(to);
                if to.len() == begin {
                    to.push_str("ok");
                }
            }
            Err(error) => {
                to.push_str("error ");
                error.show(to);
            }
        }
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Put),*> Put for ($($name,)*) {
            #[expect(non_snake_case, reason = "each value has its type's name")]
            fn put(&self, out: &mut Vec<u8>) {
                let ($($name,)*) = self;
                $($name.put(out);)*
            }
        }
        impl<$($name: Take),*> Take for ($($name,)*) {
            fn take(input: &mut &[u8]) -> Option<Self> {
                Some(($($name::take(input)?,)*))
            }
            #[expect(non_snake_case, reason = "each value has its type's name")]
            fn show(&self, to: &mut String) {
                let ($($name,)*) = self;
                let begin = to.len();
                $(
                    if to.len() > begin {
                        to.push_str(", ");
                    }
                    $name.show(to);
                )*
            }
        }
    };
}
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);

/// A handle is its number in the driver's table; nothing is kept behind it when a trace
/// is read.
impl<T: 'static> Put for Resource<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.rep().put(out);
    }
}

impl<T: 'static> Take for Resource<T> {
    fn take(input: &mut &[u8]) -> Option<Self> {
        u32::take(input).map(Self::new_own)
    }
    fn show(&self, to: &mut String) {
        let _ = write!(to, "#{}", self.rep());
    }
}

/// `NotReady` as the contract writes it: `not-ready`.
fn show_name(name: &str, to: &mut String) {
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            to.push('-');
        }
        to.push(letter.to_ascii_lowercase());
    }
}

/// What a case carries, in a pattern.
macro_rules! carried {
    ($ty:ty, $value:ident) => {
        $value
    };
}

/// Enumerations and variants of `wit/`: the number of the case in its order, then what it
/// carries.
macro_rules! variants {
    ($($name:ident { $($number:literal $case:ident $(($ty:ty))?)* })*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$case $((carried!($ty, value)))? => {
                        out.push($number);
                        $(<$ty as Put>::put(value, out);)?
                    })*
                }
            }
        }
        impl Take for $name {
            fn take(input: &mut &[u8]) -> Option<Self> {
                match u8::take(input)? {
                    $($number => Some($name::$case $((<$ty>::take(input)?))?),)*
                    _ => None,
                }
            }
            fn show(&self, to: &mut String) {
                match self {
                    $($name::$case $((carried!($ty, value)))? => {
                        show_name(stringify!($case), to);
                        $(
                            to.push(' ');
                            <$ty as Take>::show(value, to);
                        )?
                    })*
                }
            }
        }
    )*};
}

/// Records of `wit/`: their fields in order.
macro_rules! records {
    ($($name:ident { $($field:ident)* })*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
        }
        impl Take for $name {
            fn take(input: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Take::take(input)?),* })
            }
            fn show(&self, to: &mut String) {
                to.push('{');
                let begin = to.len();
                $(
                    if to.len() > begin {
                        to.push_str(", ");
                    }
                    show_name(&stringify!($field).replace('_', "-"), to);
                    to.push_str(": ");
                    self.$field.show(to);
                )*
                to.push('}');
            }
        }
    )*};
}

variants! {
    ErrorCode {
        0 BadArgument 1 NotReady 2 NotPermitted 3 NotGranted 4 CannotLock 5 WouldDeadlock 6 NoResources
        7 Busy 8 TimedOut 9 Aborted 10 Unsupported 11 NoDevice 12 Io 13 DriverDied
    }
    Direction { 0 Input 1 Output(bool) }
    Edge { 0 Rising 1 Falling 2 Both 3 HighLevel 4 LowLevel }
    Level { 0 Trace 1 Debug 2 Info 3 Warn 4 Error }
    Queueing { 0 Serial 1 Concurrent }
    EventSource {
        0 Interrupt(Resource<crate::interface::work_loop::Interrupt>)
        1 Timer(Resource<crate::interface::work_loop::Timer>)
        2 CommandGate(Resource<crate::interface::work_loop::Gate>)
    }
    I2cOperation { 0 Read(u32) 1 Write(Vec<u8>) }
    NoAcknowledgeSource { 0 Address 1 Data 2 Unknown }
    I2cError {
        0 Bus 1 ArbitrationLoss 2 NoAcknowledge(NoAcknowledgeSource) 3 Overrun 4 Other(ErrorCode)
    }
    SpiOperation { 0 Read(u32) 1 Write(Vec<u8>) 2 Transfer(Vec<u8>) 3 DelayNs(u32) }
    SpiError { 0 Overrun 1 ModeFault 2 FrameFormat 3 ChipSelectFault 4 Other(ErrorCode) }
    WasiOperation { 0 Read(u64) 1 Write(Vec<u8>) }
    WasiNoAcknowledge { 0 Address 1 Data 2 Unknown }
    WasiError { 0 Bus 1 ArbitrationLoss 2 NoAcknowledge(WasiNoAcknowledge) 3 Overrun 4 Other }
    Cause { 0 Boot 1 Restart 2 Reload }
    Wake { 0 Awakened 1 TimedOut }
    StructuralEvent { 0 ProviderPublished 1 ProviderTerminated 2 ClientOpened 3 ClientClosed }
    Readiness { 0 Ready 1 Closing }
    PowerState { 0 Sleep 1 On }
    PowerChange { 0 Made 1 Later(u64) 2 Failed(ErrorCode) }
    Outcome { 0 Done(Result<Reply, ErrorCode>) 1 Pending }
}

records! {
    Arguments { selector scalars data }
    Reply { scalar data }
    Selector { number name input output }
    Occurrence { sequence timestamp high }
    LineErrors { breaks damaged lost }
    ModemLines { cts dsr dcd ri }
    Circumstances { may_wait immediate reply_max }
    Granted { name address bus }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Take>(value: &T) -> String {
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        let again = T::take(&mut bytes.as_slice()).unwrap();
        let (mut before, mut after) = (String::new(), String::new());
        value.show(&mut before);
        again.show(&mut after);
        assert_eq!(before, after);
        for end in 0..bytes.len() {
            // Cut anywhere it is either not there or, where a list ends early, shorter:
            // no panic.
            let _ = T::take(&mut &bytes[..end]);
        }
        before
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(there_and_back(&number), number.to_string());
        }
        for bits in 0..64 {
            for number in [(1 << bits) - 1, 1 << bits, u64::MAX >> bits] {
                there_and_back(&number);
                let mut bytes = Vec::new();
                put_number(number, &mut bytes);
                let (last, before) = bytes.split_last().unwrap();
                assert!(*last < 0x80 && before.iter().all(|byte| *byte >= 0x80));
                assert!(bytes.len() == 1 || *last > 0, "{number}: {bytes:?}");
            }
        }
        let text = "a \u{1b} and a \u{fc}".to_owned();
        assert_eq!(there_and_back(&text), format!("{text:?}"));
        let reply = Reply {
            scalar: 7,
            data: vec![1, 255],
        };
        let outcome: Result<Reply, ErrorCode> = Ok(reply);
        assert_eq!(there_and_back(&outcome), "{scalar: 7, data: [01 ff]}");
        let failed: Result<(), ErrorCode> = Err(ErrorCode::WouldDeadlock);
        assert_eq!(there_and_back(&failed), "error would-deadlock");
        assert_eq!(there_and_back(&Direction::Output(true)), "output true");
        let bus = I2cError::NoAcknowledge(NoAcknowledgeSource::Data);
        assert_eq!(there_and_back(&bus), "no-acknowledge data");
    }

    #[test]
    fn numbers_too_large_and_lists_too_long_are_not_there() {
        assert_eq!(take_number(&mut [0xff; 11].as_slice()), None);
        let mut long = Vec::new();
        put_number(u64::MAX, &mut long);
        assert!(Vec::<u64>::take(&mut long.as_slice()).is_none());
        assert!(take_bytes(&mut long.as_slice()).is_none());
        assert!(u16::take(&mut [0xff, 0xff, 0x7f].as_slice()).is_none());
    }
}
