//! Boards with the probing driver, and what it answers.

use loopgate::{Board, Request};
use loopgate_integration::{entry, guest};

/// A sensor of registers at 0x76 of the bus `i2c-1`.
pub(crate) const SENSOR: &str = r#"
[[board.i2c-device]]
bus = "i2c-1"
address = 0x76
model = "registers"
registers = { 0xd0 = "60", 0x10 = "01 02 03", 0x20 = "ff", 0x30 = "07" }
read-only = ["0xd0"]
clear-on-read = ["0x20-0x21"]
counters = ["0x30"]
"#;

/// The probe, as `name` and with the service of that name, with what its entry
/// says else.
pub(crate) fn probe(name: &str, config: &str, rest: &str) -> String {
    let all =
        format!("provides = [\"{name}\"]\nconfig = {{ service = \"{name}\"{config} }}\n{rest}");
    entry(name, &guest("probe_bus"), &all)
}

/// The grant of a device of the bus `i2c-1`.
pub(crate) fn device(address: u16) -> String {
    format!("[driver.i2c]\ndevice = {{ bus = \"i2c-1\", address = {address} }}\n")
}

/// What the probe answers to a request.
pub(crate) fn answer(board: &Board, service: &str, request: Request) -> Vec<u8> {
    let reply = board.call(service, request);
    reply
        .unwrap_or_else(|error| panic!("{service}: {error}"))
        .data
}

/// What was read, or what went wrong, as text.
pub(crate) fn i2c(board: &Board, service: &str, write: &[u8], read: u64) -> Vec<u8> {
    let request = Request::named("i2c").data(write).scalar(read);
    answer(board, service, request)
}

/// The same, where it is text.
pub(crate) fn said(board: &Board, service: &str, write: &[u8], read: u64) -> String {
    String::from_utf8_lossy(&i2c(board, service, write, read)).into_owned()
}

/// What comes of a transaction of `count` reads, of so many bytes each.
pub(crate) fn many(board: &Board, count: u64, bytes: u32) -> String {
    String::from_utf8(answer(board, "bus", many_request(count, bytes))).unwrap()
}

pub(crate) fn many_request(count: u64, bytes: u32) -> Request {
    let request = Request::named("many").data(bytes.to_le_bytes());
    request.scalar(count)
}
