//! Drivers that were compiled beforehand, for machines that should not compile:
//! one file with the code for the handlers and, where the component asks for
//! filters, for those.
//!
//! Who makes such a file runs as the host. So it is loaded only where the board file
//! has its digest, see [`Engine::load`](crate::engine::Engine::load).

use crate::engine::cause_of;
use wasmtime::Engine;
use wasmtime::component::Component;

const BEGIN: &[u8] = b"loopgate code ";
const VERSION: &[u8] = b"2 ";
/// Far longer than any.
const TARGET_MAX: usize = 64;

/// The code of one driver, as `Component::serialize` gives it.
pub(crate) struct Code<'a> {
    /// What it is for, as [`Target`](crate::Target) is displayed.
    pub(crate) target: &'a str,
    pub(crate) driver: &'a [u8],
    pub(crate) filters: Option<&'a [u8]>,
}

/// Whether a file is one of these, however it is called.
pub(crate) fn is_code(file: &[u8]) -> bool {
    file.starts_with(BEGIN)
}

impl<'a> Code<'a> {
    pub(crate) fn pack(&self) -> Vec<u8> {
        let length = (self.driver.len() as u64).to_le_bytes();
        let filters = self.filters.unwrap_or_default();
        let head = [BEGIN, VERSION, self.target.as_bytes(), b"\n"].concat();
        [&head, &length[..], self.driver, filters].concat()
    }

    /// Why it is none of this version, or only a part of one.
    pub(crate) fn unpack(file: &'a [u8]) -> Result<Self, &'static str> {
        let rest = file.strip_prefix(BEGIN).unwrap_or_default();
        if !rest.starts_with(&VERSION[..rest.len().min(VERSION.len())]) {
            return Err("it is of another release");
        }
        let rest = rest.strip_prefix(VERSION).unwrap_or_default();
        Self::after_version(rest).ok_or("it is truncated")
    }

    fn after_version(rest: &'a [u8]) -> Option<Self> {
        let mut head = rest.iter().take(TARGET_MAX);
        let (target, rest) = rest.split_at_checked(head.position(|byte| *byte == b'\n')?)?;
        let (length, rest) = rest.get(1..)?.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (driver, filters) = rest.split_at_checked(length)?;
        Some(Self {
            target: str::from_utf8(target).ok()?,
            driver,
            filters: (!filters.is_empty()).then_some(filters),
        })
    }
}

#[expect(
    unsafe_code,
    reason = "compiled code can only be taken back on trust; see SAFETY"
)]
pub(crate) fn load(engine: &Engine, code: &[u8]) -> Result<Component, String> {
    // SAFETY: the bytes are what `Component::serialize` gave. Those of the cache's
    // entry, to this user for this very engine, settings and component: the digest over
    // all of them was verified, and the directory admits nobody else. Those of a
    // file, to whom the board file answers for with its digest, which was verified
    // as well; that they are for this engine is looked at here.
    unsafe { Component::deserialize(engine, code) }.map_err(|error| cause_of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_or_nothing() {
        for filters in [None, Some(&b"filters"[..])] {
            let (target, driver) = ("aarch64-linux", b"driver");
            let file = Code {
                target,
                driver,
                filters,
            }
            .pack();
            assert!(is_code(&file));
            let code = Code::unpack(&file).unwrap();
            let found = (code.target, code.driver, code.filters);
            assert_eq!(found, (target, &driver[..], filters));
            let whole = file.len() - filters.map_or(0, <[u8]>::len);
            for length in BEGIN.len()..whole {
                let cut = Code::unpack(&file[..length]);
                assert_eq!(cut.err(), Some("it is truncated"), "{length}");
            }
        }
        let head = [BEGIN, VERSION, b"t\n"].concat();
        let cause = |rest: &[u8]| Code::unpack(&[&head, rest].concat()).err();
        assert_eq!(cause(&[0xff; 40]), Some("it is truncated"));
        let earlier = Code::unpack(b"loopgate code 1\n\0\0\0\0\0\0\0\0").err();
        assert_eq!(earlier, Some("it is of another release"));
    }
}
