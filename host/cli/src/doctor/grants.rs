//! What a board file asks for, held against what is there.

mod buses;
mod lines;
mod ports;

use loopgate::board_file::DriverEntry;
use loopgate::devices::linux::survey::{Access, Node, Survey};
use loopgate::{BoardFile, ComponentError, HostFacts};

use super::finding::Finding;
use super::remedy::{self, Kind};

pub(super) fn of(file: &BoardFile, host: &HostFacts, survey: &Survey) -> Vec<Finding> {
    let drivers = file.drivers.iter().flat_map(|entry| {
        let findings = of_driver(file, entry, host, survey);
        findings
            .into_iter()
            .map(|finding| finding.of(entry.name.get_ref()))
    });
    let problem = host.control.problem.as_ref();
    let socket = problem.map(|problem| {
        Finding::missing(
            format!("the control socket has no place: {problem}"),
            vec!["name another with --socket or LOOPGATE_SOCKET".to_owned()],
        )
    });
    socket.into_iter().chain(drivers).collect()
}

fn of_driver(
    file: &BoardFile,
    entry: &DriverEntry,
    host: &HostFacts,
    survey: &Survey,
) -> Vec<Finding> {
    let simulated = file.board.backend.is_simulated();
    let mut findings = vec![component(file, entry, host)];
    for (name, pin) in entry.gpio_in_order() {
        let what = format!("pin `{name}`, line `{}`", pin.line.get_ref());
        findings.push(if let Some((service, _)) = entry.published(pin) {
            Finding::ok(format!("{what}, is a pin of the service `{service}`"))
        } else if simulated {
            Finding::ok(format!("{what}, is simulated"))
        } else {
            lines::find(&what, pin.line.get_ref(), survey)
        });
    }
    let mut ports: Vec<_> = entry.serial.iter().collect();
    ports.sort_by_key(|(name, _)| *name);
    let ports = ports.into_iter();
    findings.extend(ports.map(|(name, entry)| ports::find(name, entry, survey)));
    let i2c = entry.i2c_in_order().into_iter();
    findings.extend(i2c.map(|(name, entry)| buses::i2c(name, entry, survey)));
    let spi = entry.spi_in_order().into_iter();
    findings.extend(spi.map(|(name, entry)| buses::spi(name, entry, survey)));
    findings
}

fn component(file: &BoardFile, entry: &DriverEntry, host: &HostFacts) -> Finding {
    let path = file.resolve(entry.component.get_ref());
    let what = format!("component `{}`", path.display());
    match host.look_at(file, entry) {
        Ok(()) => Finding::ok(what),
        Err(ComponentError::NoCompiler { .. }) => Finding::missing(
            format!("{what} is not compiled, and this host has no compiler"),
            vec![remedy::elsewhere()],
        ),
        Err(ComponentError::Unreadable { cause, .. }) => Finding::missing(
            format!("{what} cannot be read: {cause}"),
            vec!["build it, or correct `component` in the board file".to_owned()],
        ),
        Err(error) => {
            let said = error.to_string();
            let (what, remedy) = said.rsplit_once("; ").unwrap_or((&said, ""));
            Finding::missing(what, vec![remedy.to_owned()])
        }
    }
}

/// Where this user may not open it.
fn denied(what: &str, node: &Node, kind: Kind, survey: &Survey) -> Option<Finding> {
    (node.access == Access::Denied).then(|| {
        let group = node.group.as_deref().unwrap_or("nobody");
        Finding::missing(
            format!(
                "{what}: `{}` may not open {}, which is of group `{group}`",
                survey.user.name, node.path
            ),
            remedy::may_open(node, kind, &survey.user),
        )
    })
}
