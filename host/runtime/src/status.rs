//! What a board says of itself.

use crate::limits::Limits;
use crate::sandbox::SandboxStatus;
use crate::service::Selector;
use std::collections::{BTreeMap, BTreeSet};

/// A board and everything on it.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// The host's version.
    pub version: &'static str,
    /// The board file.
    pub board: String,
    /// Whose lines drivers have: `sim` or `linux`.
    pub backend: &'static str,
    /// `real` or `virtual`.
    pub clock: &'static str,
    /// Whether it sleeps.
    pub power: PowerState,
    /// Nanoseconds since the board started, by its own clock.
    pub uptime_ns: u64,
    /// Whether the host compiles components, or loads only what was compiled before.
    pub compiler: bool,
    /// What holds the host itself.
    pub sandbox: SandboxStatus,
    /// The buses that drivers have used, by kind (`i2c`, `spi`) and name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub buses: BTreeMap<&'static str, BTreeMap<String, BusStatus>>,
    /// The drivers, in the order in which they start.
    pub drivers: Vec<DriverStatus>,
}

/// A bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BusStatus {
    /// Transactions that have come back.
    pub transactions: u64,
    /// The driver whose transaction has not, though it has given up; until then
    /// nobody has the bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_by: Option<String>,
}

/// The power of a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerState {
    /// All of it.
    #[default]
    On,
    /// It sleeps: each driver has switched off what is not to work then.
    Sleep,
}

impl PowerState {
    /// As it is written in the status, for example `sleep`.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Sleep => "sleep",
        }
    }
}

/// One driver.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriverStatus {
    /// Its name on this board.
    pub name: String,
    /// The component's file.
    pub component: String,
    /// The work loop that it runs on.
    pub work_loop: String,
    /// Where it is in its life.
    pub state: State,
    /// Why it failed, in the words of the limit or trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Counts its instances, the first is 1.
    pub generation: u64,
    /// How the host has started it again after it had failed.
    pub restarts: Restarts,
    /// What it publishes now.
    pub services: Vec<ServiceStatus>,
    /// The lines granted to it, by its own names for them.
    pub pins: BTreeMap<String, String>,
    /// Those of its pins that interrupt no more, since they had to leave their
    /// shared lines, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_lines: BTreeMap<String, String>,
    /// Grants of its entry that were withdrawn, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub revoked: BTreeSet<String>,
    /// Its open serial ports, by its own names for them.
    pub ports: BTreeMap<String, PortStatus>,
    /// What it may use.
    pub limits: Limits,
    /// What it uses, as of the end of its latest handler.
    pub usage: Usage,
    /// What happened so far, over all generations.
    pub counts: Counts,
    /// How long its handlers take.
    pub handler_time: HandlerTime,
    /// The last time that a new version took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<Reload>,
}

/// How a new version took the place of the last one.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reload {
    /// The instance that it is.
    pub generation: u64,
    /// How long the gate was closed for it, in nanoseconds.
    pub gate_closed_ns: u64,
    /// Interrupts, due timers and requests of other drivers that waited when the
    /// new version took over.
    pub events_waiting: u64,
    /// Interrupts among those that were lost, since the new version has no
    /// source for them.
    pub lost: u64,
    /// Bytes of state; `None` where the new version started afresh.
    pub state_bytes: Option<u64>,
    /// What went over as it was.
    pub handed_over: Handed,
}

/// What one version has handed to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Handed {
    /// Open pins.
    pub pins: u64,
    /// Open serial ports.
    pub ports: u64,
    /// Interrupt sources.
    pub interrupts: u64,
    /// Timers.
    pub timers: u64,
    /// Command gates.
    pub gates: u64,
    /// Services, whose clients have noticed nothing.
    pub services: u64,
    /// Requests of other drivers that waited, and of its own that were not over.
    pub requests: u64,
}

/// What became of a grant that was withdrawn: all of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revoked {
    /// The driver.
    pub driver: String,
    /// The name.
    pub grant: String,
    /// Open pins that were closed.
    pub pins: u64,
    /// Open serial ports.
    pub ports: u64,
    /// Open devices on buses.
    pub devices: u64,
    /// Interrupt sources that their lines fed.
    pub interrupts: u64,
    /// Open clients of a service.
    pub clients: u64,
    /// Requests of the driver's that were not over.
    pub requests: u64,
    /// Interrupts that waited, and count as lost.
    pub lost: u64,
}

/// Where a driver is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not started, or stopped; with a cause where it had failed before.
    Stopped,
    /// In `start`.
    Starting,
    /// Handling events.
    Running,
    /// Ended by its own fault, or never fit to run. The host may start it again.
    Failed,
    /// It has failed so often that only people start it again.
    Quarantined,
}

impl State {
    /// As it is written in the status, for example `running`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A driver's restarts by the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Restarts {
    /// How many there were.
    pub made: u64,
    /// How many there can be until the driver is quarantined; absent where that
    /// is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// Nanoseconds until the next one; absent where none is to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_ns: Option<u64>,
    /// Interrupts that it failed over twice, and that were set aside.
    pub set_aside: u64,
    /// The newest report of a death; absent where there is none on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_report: Option<String>,
}

/// A published service.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStatus {
    /// What clients call it.
    pub name: String,
    /// Whether clients are let in.
    pub enabled: bool,
    /// The longest input in bytes.
    pub input_max: u32,
    /// What it can be asked.
    pub selectors: Vec<Selector>,
}

/// An open serial port.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PortStatus {
    /// The device, or where the pseudo-terminal is linked.
    pub device: String,
    /// Bytes that the driver has read.
    pub bytes_in: u64,
    /// Bytes that have arrived and wait for the driver.
    pub bytes_waiting: u64,
    /// Bytes that the driver has written and the device has taken.
    pub bytes_out: u64,
    /// Bytes that arrived and found no room.
    pub bytes_lost: u64,
    /// Bytes that arrived with a wrong parity or stop bit; the driver reads them.
    pub bytes_damaged: u64,
    /// Breaks that arrived.
    pub breaks: u64,
}

/// What an instance uses.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// Bytes of linear memory.
    pub memory: u64,
    /// Sources on its loop.
    pub sources: usize,
    /// Requests that wait for their completion.
    pub requests: usize,
    /// Requests that it has submitted and was not told the end of.
    pub submissions: usize,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Interrupts delivered.
    pub interrupts: u64,
    /// Interrupts that found no room, or whose source ended before their turn.
    pub lost: u64,
    /// Interrupts that filters were asked about and took for the driver's,
    /// those that they failed at included.
    pub claimed: u64,
    /// Interrupts that filters took for somebody else's.
    pub declined: u64,
    /// Filters that were switched off, since they failed.
    pub filters_off: u64,
    /// Timer expiries delivered.
    pub timeouts: u64,
    /// Commands handed over.
    pub commands: u64,
    /// Calls into the driver, of every kind.
    pub calls: u64,
    /// Instances that have failed.
    pub deaths: u64,
}

/// How long handlers take. The first 256 calls are measured, then one in 64;
/// the longest is also looked for among all that last over a tick of 1 ms.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HandlerTime {
    /// Calls that were measured.
    pub measured: u64,
    /// Their mean, in nanoseconds.
    pub mean_ns: u64,
    /// The longest, in nanoseconds.
    pub longest_ns: u64,
}
