//! Serial ports.

use std::path::Path;

use loopgate::board_file::SerialEntry;
use loopgate::devices::linux::survey::{Access, Survey};

use super::denied;
use crate::doctor::finding::Finding;
use crate::doctor::remedy::{self, Kind};

pub(super) fn find(name: &str, entry: &SerialEntry, survey: &Survey) -> Finding {
    let place = entry.place().map_or("", |place| place.get_ref());
    let what = format!("port `{name}`, `{place}`");
    if entry.sim.is_some() {
        Finding::ok(format!("{what}, is simulated"))
    } else if entry.pty.is_some() {
        Finding::ok(format!("{what}, is made when the driver opens it"))
    } else {
        real(&what, Path::new(place), survey)
    }
}

fn real(what: &str, path: &Path, survey: &Survey) -> Finding {
    let (node, real) = survey.node(path);
    if node.access == Access::Absent {
        let remedies = if is_adapters(path) {
            vec![remedy::adapter()]
        } else {
            remedy::bus(Kind::Serial, survey)
        };
        return Finding::missing(format!("{what}, is not there"), remedies);
    }
    let mut ports = survey.ports.iter();
    let port = ports.find(|port| Path::new(&port.node.path) == real);
    if port.is_some_and(|port| !port.hardware) {
        let remedies = vec!["correct `device`; `loopgate doctor` lists the ports".to_owned()];
        let what = format!("{what}, is a name of the kernel's without hardware");
        return Finding::missing(what, remedies);
    }
    let node = port.map_or(node, |port| port.node.clone());
    if let Some(finding) = denied(what, &node, Kind::Serial, survey) {
        return finding;
    }
    let Some(port) = port else {
        return Finding::ok(format!("{what}, is there"));
    };
    if let Some(holder) = &port.holder {
        let remedies = vec![format!(
            "end it, or name another port: fuser -v {}",
            node.path
        )];
        return Finding::missing(format!("{what}, is open in {holder}"), remedies);
    }
    if port.console {
        let what = format!("{what}, is where the kernel writes its messages");
        return Finding::missing(what, remedy::console(&survey.system));
    }
    Finding::ok(format!("{what}, is there ({})", port.what))
}

/// Whether only something that is plugged in has such a file.
fn is_adapters(path: &Path) -> bool {
    const BEGINNINGS: [&str; 3] = ["/dev/ttyUSB", "/dev/ttyACM", "/dev/serial/by-"];
    let path = path.to_string_lossy();
    BEGINNINGS.iter().any(|begin| path.starts_with(begin))
}
