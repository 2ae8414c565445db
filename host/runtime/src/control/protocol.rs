//! What goes over the control socket.

use serde::{Deserialize, Serialize};

use super::hex;
use crate::{Changes, LogLine, PowerState, RequestError, Revoked};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The state of the board and its drivers: [`Response::Status`].
    Status,
    /// A request to a driver's service: [`Response::Reply`].
    Call(Call),
    /// Drives a line of the simulated board from outside: [`Response::Done`].
    SimSet {
        /// The line, as the board file names it.
        line: String,
        /// The voltage.
        high: bool,
    },
    /// Every line of the simulated board: [`Response::Lines`].
    SimShow,
    /// Starts a driver, see [`Board::start_driver`](crate::Board::start_driver):
    /// [`Response::Driver`].
    Start {
        /// The driver.
        driver: String,
    },
    /// Stops a driver, see [`Board::stop_driver`](crate::Board::stop_driver):
    /// [`Response::Driver`].
    Stop {
        /// The driver.
        driver: String,
    },
    /// Reloads a driver, see [`Board::reload`](crate::Board::reload):
    /// [`Response::Reloaded`].
    Reload {
        /// The driver.
        driver: String,
        /// Whether requests that have begun are ended.
        #[serde(default)]
        force: bool,
    },
    /// Withdraws a grant of a driver's, see [`Board::revoke`](crate::Board::revoke):
    /// [`Response::Revoked`].
    Revoke {
        /// The driver.
        driver: String,
        /// The grant's name.
        grant: String,
    },
    /// Changes the board to what its file says now, see
    /// [`Board::reread`](crate::Board::reread): [`Response::Changes`].
    ReloadBoard,
    /// Takes the board to sleep or wakes it, see [`Board::power`](crate::Board::power):
    /// [`Response::Done`].
    Power {
        /// What it is to be.
        state: PowerState,
    },
    /// The latest lines of a driver's log, see [`Board::logs`](crate::Board::logs):
    /// [`Response::Logs`].
    Logs {
        /// The driver.
        driver: String,
        /// Only lines after this one; 0 for all that are kept.
        #[serde(default)]
        after: u64,
        /// How long to wait for a line where there is none, in milliseconds,
        /// at most [`TIMEOUT_MAX`](super::TIMEOUT_MAX).
        #[serde(default)]
        wait_ms: u64,
    },
}

/// A request to a driver's service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Call {
    /// The service.
    pub service: String,
    /// What to ask it.
    pub selector: Selector,
    /// Up to four numbers; zero where one is absent.
    #[serde(default)]
    pub scalars: Vec<u64>,
    /// Bytes; hexadecimal in JSON.
    #[serde(default, with = "hex")]
    pub data: Vec<u8>,
    /// Whether to fail at once where the answer would take a wait.
    #[serde(default)]
    pub attempt: bool,
    /// Whether to go ahead of the queue of a serial service.
    #[serde(default)]
    pub immediate: bool,
    /// The longest wait in milliseconds, at most [`TIMEOUT_MAX`](super::TIMEOUT_MAX).
    pub timeout_ms: u64,
    /// The longest reply that is taken, in bytes, at most [`REPLY_MAX`](super::REPLY_MAX).
    pub reply_max: u32,
}

/// A selector by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Selector {
    /// By number.
    Number(u32),
    /// By the name that the service gave it.
    Name(String),
}

/// What the host answers. `S` is how the status appears: the host writes its
/// own type, and a client passes on what it gets, so that it need not know
/// every field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response<S = serde_json::Value> {
    /// To [`Request::Status`].
    Status(S),
    /// To [`Request::Call`].
    Reply {
        /// A number, its meaning up to the selector.
        scalar: u64,
        /// Bytes, their meaning up to the selector; hexadecimal in JSON.
        #[serde(with = "hex")]
        data: Vec<u8>,
    },
    /// To [`Request::SimShow`].
    Lines(Vec<Line>),
    /// To [`Request::SimSet`] and [`Request::Power`].
    Done,
    /// To [`Request::Start`] and [`Request::Stop`]: how the driver is now.
    Driver {
        /// That one.
        #[serde(flatten)]
        driver: DriverNow,
        /// Those that were started after it, or stopped before it, in that order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        with: Vec<DriverNow>,
    },
    /// To [`Request::Reload`].
    Reloaded {
        /// The driver.
        name: String,
        /// How it is now, as in the status.
        state: String,
        /// How the new version took its place.
        reload: crate::Reload,
    },
    /// To [`Request::ReloadBoard`].
    Changes(Changes),
    /// To [`Request::Revoke`].
    Revoked(Revoked),
    /// To [`Request::Logs`].
    Logs(Vec<LogLine>),
    /// The request failed, or could not be read.
    Error(RequestError),
}

/// How a driver is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriverNow {
    /// Its name.
    pub name: String,
    /// As in the status, for example `running`.
    pub state: String,
    /// Counts its instances.
    pub generation: u64,
}

/// A line of the simulated board. Levels are voltages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// What the board file calls it.
    pub name: String,
    /// Its level now.
    pub high: bool,
    /// What makes it so: `output`, `outside`, `pull` or `nothing`.
    pub driven_by: String,
    /// `input` or `output`, for whoever holds it.
    pub direction: String,
    /// Whether output and outside drive against each other.
    pub contention: bool,
    /// The driver that holds it.
    pub consumer: Option<String>,
    /// How often its level has changed.
    pub edges: u64,
}
