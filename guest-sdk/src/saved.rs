//! The state that a driver leaves to its next version.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorCode, Result};

/// A state, as [`Driver::save`](crate::Driver::save) makes it and
/// [`Driver::restore`](crate::Driver::restore) gets it: bytes in the `postcard`
/// format, and the number of that state's version, which says how to read them.
///
/// ```
/// use loopgate_guest::Saved;
///
/// const VERSION: u32 = 1;
/// let saved = Saved::new(VERSION, &(17_u32, "on"))?;
/// let (count, mode): (u32, String) = saved.get(VERSION)?;
/// assert_eq!((count, &*mode), (17, "on"));
/// # Ok::<(), loopgate_guest::Error>(())
/// ```
///
/// A driver that can go on with older states looks at
/// [`version`](Self::version) first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    version: u32,
    bytes: Vec<u8>,
}

impl Saved {
    /// A state of this version: a tuple, or what derives `Serialize`.
    ///
    /// # Errors
    ///
    /// `bad-argument` where `state` cannot be written, such as a sequence whose
    /// length is not known.
    pub fn new<S: Serialize + ?Sized>(version: u32, state: &S) -> Result<Self> {
        let bytes = postcard::to_allocvec(state)
            .map_err(|error| Error::new(ErrorCode::BadArgument, format!("the state: {error}")))?;
        Ok(Self { version, bytes })
    }

    /// Which version of the state it is.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The state, if it is of this version.
    ///
    /// # Errors
    ///
    /// `bad-argument` where it is of another version, or no `S`.
    pub fn get<S: DeserializeOwned>(&self, version: u32) -> Result<S> {
        let refuse = |what: String| Error::new(ErrorCode::BadArgument, what);
        if self.version != version {
            let found = self.version;
            return Err(refuse(format!(
                "the state is of version {found}, and {version} is understood"
            )));
        }
        let (state, rest) = postcard::take_from_bytes(&self.bytes)
            .map_err(|error| refuse(format!("the state of version {version}: {error}")))?;
        if !rest.is_empty() {
            let more = rest.len();
            return Err(refuse(format!(
                "the state of version {version}: {more} bytes too many"
            )));
        }
        Ok(state)
    }

    pub(crate) fn lift(version: u32, bytes: Vec<u8>) -> Self {
        Self { version, bytes }
    }

    pub(crate) fn lower(self) -> (u32, Vec<u8>) {
        (self.version, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_what_it_is_or_not_at_all() {
        let saved = Saved::new(2, &(7_u8, true)).unwrap();
        assert_eq!(saved.get::<(u8, bool)>(2).unwrap(), (7, true));
        for error in [
            saved.get::<(u8, bool)>(1).unwrap_err(),
            saved.get::<u8>(2).unwrap_err(),
            saved.get::<(u8, bool, u8)>(2).unwrap_err(),
        ] {
            assert_eq!(error.code(), ErrorCode::BadArgument, "{error}");
        }
    }
}
