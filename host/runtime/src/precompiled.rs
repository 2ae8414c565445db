//! Drivers that were compiled beforehand, for machines that should not compile:
//! one file with native code for the handlers and, where the component asks for
//! filters, for those.
//!
//! Who makes such a file runs as the host. So it is loaded only where the board file
//! has its digest, see [`Engine::load`](crate::engine::Engine::load).

const MAGIC: &[u8; 16] = b"loopgate code 1\n";

/// The code of one driver, as `Component::serialize` gives it.
pub(crate) struct Code<'a> {
    pub(crate) driver: &'a [u8],
    pub(crate) filters: Option<&'a [u8]>,
}

/// Whether a file is one of these, however it is called.
pub(crate) fn is_code(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

impl<'a> Code<'a> {
    pub(crate) fn pack(&self) -> Vec<u8> {
        let length = self.driver.len() as u64;
        let filters = self.filters.unwrap_or_default();
        [MAGIC, &length.to_le_bytes()[..], self.driver, filters].concat()
    }

    /// `None` for what is no such file, or only a part of one.
    pub(crate) fn unpack(file: &'a [u8]) -> Option<Self> {
        let (length, rest) = file.strip_prefix(MAGIC)?.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (driver, filters) = rest.split_at_checked(length)?;
        Some(Self {
            driver,
            filters: (!filters.is_empty()).then_some(filters),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_or_nothing() {
        for filters in [None, Some(&b"filters"[..])] {
            let driver = b"driver";
            let file = Code { driver, filters }.pack();
            assert!(is_code(&file));
            let code = Code::unpack(&file).unwrap();
            assert_eq!((code.driver, code.filters), (&driver[..], filters));
            for length in 0..MAGIC.len() + 8 + driver.len() {
                assert!(Code::unpack(&file[..length]).is_none(), "{length}");
            }
        }
        let mut long = MAGIC.to_vec();
        long.extend([0xff; 40]);
        assert!(Code::unpack(&long).is_none());
    }
}
