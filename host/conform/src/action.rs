//! What happens to a driver from outside, one thing at a time.

use std::fmt::Write as _;
use std::time::Duration;

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A line is driven.
    Set {
        line: String,
        high: bool,
    },
    /// Bytes arrive at a port.
    Feed {
        port: String,
        bytes: Vec<u8>,
    },
    /// A client submits a request.
    Ask(Ask),
    /// And gives it up: the number of the request.
    Cancel {
        request: usize,
    },
    /// Time passes.
    Wait(Duration),
    /// It passes up to the next event.
    Next,
    /// It passes at once.
    Skip(Duration),
    /// The component is put in its own place.
    Reload,
    Sleep,
    Wake,
    Stop {
        driver: String,
    },
    Start {
        driver: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) service: String,
    pub(crate) selector: u32,
    pub(crate) scalars: [u64; 4],
    pub(crate) data: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
}

impl Action {
    /// In words, for example `GPIO17 falls`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Set { line, high } => {
                format!("{line} is driven {}", if *high { "high" } else { "low" })
            }
            Self::Feed { port, bytes } => {
                format!("{} bytes arrive at {port}", bytes.len())
            }
            Self::Ask(ask) => {
                let mut words = format!("{}.{} is asked", ask.service, ask.selector);
                if let Some(timeout) = ask.timeout {
                    let _ = write!(words, ", for {timeout:?}");
                }
                words
            }
            Self::Cancel { request } => format!("request {request} is cancelled"),
            Self::Wait(span) => format!("{span:?} pass"),
            Self::Next => "time passes up to the next event".to_owned(),
            Self::Skip(span) => format!("the clock jumps ahead by {span:?}"),
            Self::Reload => "the driver is reloaded".to_owned(),
            Self::Sleep => "the board goes to sleep".to_owned(),
            Self::Wake => "the board wakes".to_owned(),
            Self::Stop { driver } => format!("{driver} is stopped"),
            Self::Start { driver } => format!("{driver} is started"),
        }
    }
}
