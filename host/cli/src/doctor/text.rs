//! The report, for people.

use loopgate::devices::linux::survey::{Access, Chip, Node, Survey};

use super::Report;
use super::finding::{Finding, State};
use crate::output::{plain, table};

pub(super) fn of(report: &Report) -> String {
    let mut text = host(report);
    text += &gpio(&report.machine);
    text += &serial(&report.machine);
    text += &buses(&report.machine);
    text += &findings("advice", &report.advice);
    if let Some(board) = &report.board {
        let head = format!("{}, backend {}", plain(&board.path), board.backend);
        text += &findings(&head, &board.grants);
        let missing = board.grants.iter().filter(|one| !one.is_good()).count();
        let summary = match missing {
            0 => "all that the board asks for is here".to_owned(),
            _ => format!("{missing} of the things that the board asks for are missing"),
        };
        text.extend(["\n", &summary, "\n"]);
    }
    text
}

fn host(report: &Report) -> String {
    let (host, system, user) = (&report.host, &report.machine.system, &report.machine.user);
    let compiler = if host.compiler {
        "with a compiler"
    } else {
        "without a compiler"
    };
    let cache = host.cache.as_ref();
    let cache = cache.map_or("none".to_owned(), |cache| cache.path.display().to_string());
    let yes = |is| if is { "yes" } else { "no" };
    let rows = [
        ("loopgate", format!("{}, {compiler}", host.version)),
        (
            "machine",
            system.model.clone().unwrap_or_else(|| "unknown".to_owned()),
        ),
        (
            "kernel",
            format!("Linux {}, {}", system.kernel, system.architecture),
        ),
        ("memory", format!("{} MiB", system.memory >> 20)),
        (
            "user",
            format!("{}, groups {}", user.name, user.groups.join(", ")),
        ),
        ("GPIO interface", yes(system.gpio).to_owned()),
        ("Landlock", host.sandbox.landlock.clone()),
        ("seccomp", host.sandbox.seccomp.clone()),
        ("tells of files", yes(system.inotify).to_owned()),
        ("cache", cache),
        ("control socket", host.control.path.display().to_string()),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), plain(&value).into_owned()]);
    table(&rows)
}

fn gpio(survey: &Survey) -> String {
    let chips = survey.chips.iter().map(chip);
    section("GPIO", chips)
}

fn chip(chip: &Chip) -> String {
    let name = &chip.name;
    let Some(label) = &chip.label else {
        return format!("  {}{}\n", plain(name), access(&chip.node));
    };
    let head = format!(
        "  {} ({}), {} lines{}\n",
        plain(name),
        plain(label),
        chip.lines.len(),
        access(&chip.node)
    );
    let shown = chip
        .lines
        .iter()
        .filter(|line| !line.name.is_empty() || line.holder.is_some());
    let lines = shown.map(|line| {
        let holder = line.holder.as_ref();
        let holder = holder.map(|holder| format!(", held by `{}`", plain(holder)));
        format!(
            "    {:>3} {}{}\n",
            line.offset,
            plain(&line.name),
            holder.unwrap_or_default()
        )
    });
    head + &lines.collect::<String>()
}

fn serial(survey: &Survey) -> String {
    let real = survey.ports.iter().filter(|port| port.hardware);
    let lines = real.map(|port| {
        let stable = port.stable.as_ref();
        let stable = stable.map(|path| format!(", also {}", plain(path)));
        let holder = port.holder.as_ref();
        let holder = holder.map(|holder| format!(", open in {}", plain(holder)));
        format!(
            "  {} ({}){}{}{}{}\n",
            plain(&port.node.path),
            plain(&port.what),
            stable.unwrap_or_default(),
            if port.console { ", console" } else { "" },
            holder.unwrap_or_default(),
            access(&port.node)
        )
    });
    let hidden = survey.ports.iter().filter(|port| !port.hardware).count();
    let hidden = (hidden > 0).then(|| format!("  {hidden} more names without hardware\n"));
    section("serial ports", lines.chain(hidden))
}

fn buses(survey: &Survey) -> String {
    let i2c = survey.i2c.iter().map(|bus| {
        let devices = bus.devices.iter();
        let devices = devices
            .map(|device| format!(", {:#04x} has `{}`", device.address, plain(&device.driver)));
        format!(
            "  {} ({}){}{}\n",
            plain(&bus.node.path),
            plain(&bus.what),
            access(&bus.node),
            devices.collect::<String>()
        )
    });
    let spi = survey.spi.iter().map(|device| {
        let driver = device.driver.as_deref().unwrap_or("no driver");
        format!(
            "  {} ({}){}\n",
            plain(&device.node.path),
            plain(driver),
            access(&device.node)
        )
    });
    section("I2C", i2c) + &section("SPI", spi)
}

fn access(node: &Node) -> &'static str {
    match node.access {
        Access::Granted => "",
        Access::Denied => ", not for this user",
        Access::Absent => ", without a file",
    }
}

fn section(head: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.collect();
    let lines = if lines.is_empty() { "  none\n" } else { &lines };
    format!("\n{head}\n{lines}")
}

fn findings(head: &str, findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let mark = match finding.state {
            State::Ok => "ok       ",
            State::Missing => "MISSING  ",
            State::Advice => "",
        };
        let driver = finding.driver.as_ref();
        let driver = driver.map(|driver| format!("{}: ", plain(driver)));
        let remedies = finding.remedies.iter();
        let remedies = remedies.map(|remedy| format!("        {}\n", plain(remedy)));
        format!(
            "  {mark}{}{}\n{}",
            driver.unwrap_or_default(),
            plain(&finding.what),
            remedies.collect::<String>()
        )
    });
    section(head, lines)
}
