//! Opens a pin that it may not have been granted: config `pin` (`secret` unless
//! told), config `direction` (`input` unless told).

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

struct Ungranted;

impl Driver for Ungranted {
    fn start(cx: &Context) -> Result<Self> {
        let name = cx.config("pin").unwrap_or("secret");
        let opened = match cx.config("direction") {
            Some("output") => cx.output(name).map(drop),
            _ => cx.input(name).map(drop),
        };
        if let Err(error) = &opened {
            error!("{error}");
        }
        opened.map(|()| Self)
    }
}

driver!(Ungranted);
