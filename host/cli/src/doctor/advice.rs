//! What is to be said about a machine, whatever runs there.

use loopgate::HostFacts;
use loopgate::devices::linux::survey::{Access, Node, Survey};

use super::finding::Finding;
use super::remedy::{self, Kind};

/// Below it a compiler is most of what a host needs.
const SMALL: u64 = 1 << 30;

pub(super) fn about(host: &HostFacts, survey: &Survey) -> Vec<Finding> {
    let devices = [gpio(survey), serial(survey), i2c(survey), spi(survey)];
    let mut advice: Vec<_> = devices.into_iter().flatten().collect();
    advice.extend(about_host(host));
    advice.extend(about_system(host, survey));
    advice
}

fn gpio(survey: &Survey) -> Option<Finding> {
    if survey.chips.is_empty() {
        let mut what = "this machine has no GPIO chip".to_owned();
        if !survey.system.gpio {
            what += ", and its kernel has no lines for programs (it needs CONFIG_GPIO_CDEV and \
                     release 5.10)";
        }
        return Some(Finding::advice(what, remedy::lines()));
    }
    let nodes = survey.chips.iter().map(|chip| &chip.node);
    closed(nodes, Kind::Gpio, survey)
}

fn serial(survey: &Survey) -> Option<Finding> {
    let mut ports = survey.ports.iter().filter(|port| port.hardware).peekable();
    if ports.peek().is_none() {
        let remedies = remedy::bus(Kind::Serial, survey);
        return Some(Finding::advice("this machine has no serial port", remedies));
    }
    closed(ports.map(|port| &port.node), Kind::Serial, survey)
}

fn i2c(survey: &Survey) -> Option<Finding> {
    /// Of a Raspberry Pi's header; its screens have others.
    const HEADER: &str = "/dev/i2c-1";
    let nodes = || survey.i2c.iter().map(|bus| &bus.node);
    if survey.system.is_pi() && !nodes().any(|node| node.path == HEADER) {
        return off(Kind::I2c, "I2C", survey);
    }
    if nodes().any(is_absent) {
        let what = "this machine has I2C buses, and the kernel no files for them";
        return Some(Finding::advice(what, remedy::i2c_file()));
    }
    closed(nodes(), Kind::I2c, survey)
}

fn spi(survey: &Survey) -> Option<Finding> {
    let nodes = || survey.spi.iter().map(|device| &device.node);
    let mut there = nodes().filter(|node| !is_absent(node)).peekable();
    if there.peek().is_none() {
        return off(Kind::Spi, "SPI", survey);
    }
    closed(there, Kind::Spi, survey)
}

fn is_absent(node: &Node) -> bool {
    node.access == Access::Absent
}

/// A Raspberry Pi has the buses, and comes with them switched off.
fn off(kind: Kind, name: &str, survey: &Survey) -> Option<Finding> {
    let what = format!("{name} is switched off");
    let is_pi = survey.system.is_pi();
    is_pi.then(|| Finding::advice(what, remedy::bus(kind, survey)))
}

/// The first that this user may not open stands for those like it.
fn closed<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    kind: Kind,
    survey: &Survey,
) -> Option<Finding> {
    let closed: Vec<_> = nodes.filter(|node| node.access == Access::Denied).collect();
    let first = closed.first()?;
    let paths: Vec<_> = closed.iter().map(|node| node.path.as_str()).collect();
    let what = format!("`{}` may not open {}", survey.user.name, paths.join(", "));
    let remedies = remedy::may_open(first, kind, &survey.user);
    Some(Finding::advice(what, remedies))
}

fn about_host(host: &HostFacts) -> Vec<Finding> {
    let mut advice = Vec::new();
    if let Some(problem) = &host.control.problem {
        advice.push(Finding::advice(
            format!("the control socket has no place: {problem}"),
            vec!["name another with --socket or LOOPGATE_SOCKET".to_owned()],
        ));
    }
    if !host.compiler {
        advice.push(Finding::advice(
            "this host has no compiler, and loads only what was compiled before",
            vec![remedy::elsewhere()],
        ));
        return advice;
    }
    match &host.cache {
        None => advice.push(Finding::advice(
            "compiled drivers are not kept, since there is no HOME",
            vec!["name a folder with XDG_CACHE_HOME".to_owned()],
        )),
        Some(cache) => advice.extend(cache.problem.as_ref().map(|problem| {
            Finding::advice(
                format!("compiled drivers are not kept: {problem}"),
                vec!["name another folder with XDG_CACHE_HOME".to_owned()],
            )
        })),
    }
    advice
}

fn about_system(host: &HostFacts, survey: &Survey) -> Vec<Finding> {
    let mut advice = Vec::new();
    if !host.sandbox.landlock.starts_with("on") {
        advice.push(Finding::advice(
            "the kernel does not hold which files the host can open",
            vec!["boot a kernel with Landlock, or put it first: lsm=landlock,...".to_owned()],
        ));
    }
    if !host.sandbox.seccomp.starts_with("on") {
        advice.push(Finding::advice(
            "the kernel does not hold which system calls the host has",
            vec!["boot a kernel with seccomp filters (CONFIG_SECCOMP_FILTER)".to_owned()],
        ));
    }
    if !survey.system.inotify {
        advice.push(Finding::advice(
            "the kernel does not tell of changed files",
            vec![
                "loopgate run --no-watch BOARD, and `loopgate reload` for a new version".to_owned(),
            ],
        ));
    }
    if survey.system.memory < SMALL && host.compiler {
        advice.push(Finding::advice(
            "memory is small: compiling takes more of it than running",
            vec![remedy::elsewhere()],
        ));
    }
    advice
}
