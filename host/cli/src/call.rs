//! `loopgate call`.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use loopgate::control::{self, Request, Response, from_hex, to_hex};
use serde_json::json;

use crate::arguments::Call;
use crate::board;
use crate::output::{as_text, print, print_json};

/// A byte takes two digits of the request, and the rest of it some room.
const DATA_MAX: usize = (control::REQUEST_MAX - 4096) / 2;

pub(crate) fn run(call: Call) -> Result<ExitCode> {
    let json = call.json;
    let data = call
        .data
        .as_deref()
        .map(data)
        .transpose()?
        .unwrap_or_default();
    if data.len() > DATA_MAX {
        bail!(
            "`--data` is longer than {DATA_MAX} bytes, which is the most that one call carries; send less"
        );
    }
    let request = Request::Call(control::Call {
        service: call.service,
        selector: call.selector,
        scalars: call.scalars,
        data,
        attempt: call.attempt,
        immediate: call.immediate,
        timeout_ms: call.timeout.as_millis() as u64,
        reply_max: control::REPLY_MAX,
    });
    match board::ask(&call.socket, &request)? {
        Response::Reply { scalar, data } if json => {
            print_json(
                &json!({ "scalar": scalar, "data": to_hex(&data), "text": as_text(&data) }),
            )?;
        }
        Response::Reply { scalar, data } => print(&shown(scalar, &data))?,
        other => return board::unexpected(&other),
    }
    Ok(ExitCode::SUCCESS)
}

/// The data as text where it is text, else in hexadecimal; the number where
/// there is no data.
fn shown(scalar: u64, data: &[u8]) -> String {
    match as_text(data) {
        Some("") => scalar.to_string(),
        Some(text) => text.to_owned(),
        None => to_hex(data),
    }
}

/// What stands after `--data`, as bytes.
fn data(argument: &str) -> Result<Vec<u8>> {
    if let Some(path) = argument.strip_prefix('@') {
        return read(path).with_context(|| format!("cannot read `{path}` for `--data`"));
    }
    if let Some(text) = argument.strip_prefix("text:") {
        return Ok(text.into());
    }
    Ok(from_hex(argument).unwrap_or_else(|| argument.into()))
}

/// At most a byte more than can be sent: the path may be a device without end.
fn read(path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(DATA_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_a_file_or_digits_or_text() {
        assert_eq!(data("dead01").unwrap(), [0xde, 0xad, 1]);
        assert_eq!(data("text:dead01").unwrap(), b"dead01");
        assert_eq!(data("dead0").unwrap(), b"dead0");
        assert_eq!(data("hello").unwrap(), b"hello");
        assert_eq!(data("").unwrap(), b"");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\x00\x01").unwrap();
        assert_eq!(
            data(&format!("@{}", file.path().display())).unwrap(),
            [0, 1]
        );
    }

    #[test]
    fn a_file_that_is_missing_or_endless_ends_in_an_error_or_a_bound() {
        let error = format!("{:#}", data("@/does/not/exist").unwrap_err());
        assert!(
            error.starts_with("cannot read `/does/not/exist` for `--data`: "),
            "{error}"
        );
        assert_eq!(data("@/dev/zero").unwrap().len(), DATA_MAX + 1);
    }

    #[test]
    fn a_reply_shows_as_text_or_digits_or_number() {
        assert_eq!(shown(3, b""), "3");
        assert_eq!(shown(3, b"three"), "three");
        assert_eq!(shown(3, b"\x1b[2J"), "1b5b324a");
    }

    #[test]
    fn the_largest_data_fits_into_a_request() {
        let request = Request::Call(control::Call {
            service: "s".repeat(256),
            selector: control::Selector::Name("n".repeat(256)),
            scalars: vec![u64::MAX; 4],
            data: vec![0; DATA_MAX],
            attempt: false,
            immediate: false,
            timeout_ms: u64::MAX,
            reply_max: u32::MAX,
        });
        assert!(serde_json::to_vec(&request).unwrap().len() < control::REQUEST_MAX);
    }
}
