//! Tells what a standard library finds outside the driver: nothing, by the
//! board's clock.

#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use loopgate_guest::prelude::*;

/// Arguments, variables, files and folders, a line each.
const SURROUNDINGS: u32 = 1;
/// Nanoseconds since the start, and as text since 1970.
const CLOCKS: u32 = 2;
/// What the library's randomly seeded hasher makes of 1.
const HASH: u32 = 3;
/// Ends the process, as it thinks.
const EXIT: u32 = 4;

struct Probe {
    started: Instant,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service("wasi")
            .selector(SURROUNDINGS, "surroundings", "", "a line each")
            .selector(CLOCKS, "clocks", "", "since the start; since 1970")
            .selector(HASH, "hash", "", "a hash of 1")
            .selector(EXIT, "exit", "", "nothing");
        Ok(Self {
            started: Instant::now(),
            _service: service.publish()?,
        })
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        Ok(match request.selector {
            SURROUNDINGS => surroundings().into(),
            CLOCKS => {
                let nanoseconds = self.started.elapsed().as_nanos();
                let date = SystemTime::now().duration_since(UNIX_EPOCH);
                let date = date.unwrap_or_default().as_nanos().to_string();
                Reply::new(u64::try_from(nanoseconds).unwrap_or(u64::MAX), date)
            }
            HASH => RandomState::new().hash_one(1).into(),
            _ => std::process::exit(0),
        })
    }
}

fn surroundings() -> String {
    let worked =
        |what: &str, worked: bool| format!("{what}: {}", if worked { "yes" } else { "no" });
    [
        format!("arguments: {}", std::env::args().count()),
        format!("variables: {}", std::env::vars().count()),
        worked("reads a file", std::fs::read("/etc/passwd").is_ok()),
        worked("writes a file", std::fs::write("/tmp/probe", "x").is_ok()),
        worked("lists a folder", std::fs::read_dir("/").is_ok()),
    ]
    .join("\n")
}

driver!(Probe);
