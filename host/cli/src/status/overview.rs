//! All drivers, a line each.

use super::view::{Driver, Overview, time};
use crate::output::{plain, table};

pub(super) fn text(board: &Overview) -> String {
    let heads = [
        "DRIVER",
        "STATE",
        "GENERATION",
        "LOOP",
        "CALLS",
        "INTERRUPTS",
        "LOST",
        "TIMEOUTS",
        "COMMANDS",
        "MEAN",
        "LONGEST",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(board.drivers.iter().map(row));
    let failures = board.drivers.iter().filter_map(|driver| {
        let cause = driver.cause.as_ref()?;
        let next = driver.restarts.next_ns;
        let next = next.map(|span| format!("; started again in {}", time(span)));
        Some(format!(
            "{}: {}{}\n",
            plain(&driver.name),
            plain(cause),
            next.unwrap_or_default()
        ))
    });
    let failures: String = failures.collect();
    let buses = board.buses.iter();
    let buses = buses.flat_map(|(kind, buses)| buses.iter().map(move |bus| (kind, bus)));
    let stuck = buses.filter_map(|(kind, (name, bus))| {
        let by = bus.stuck_by.as_ref()?;
        Some(format!(
            "{} bus {} is stuck: a transaction of {} has not come back\n",
            plain(kind),
            plain(name),
            plain(by)
        ))
    });
    let failures = stuck.collect::<String>() + &failures;
    let gap = if failures.is_empty() { "" } else { "\n" };
    let held = board.sandbox.iter().map(|(by, how)| {
        let how = plain(how);
        format!("host held by {}: {how}\n", plain(by))
    });
    let compiler = match board.compiler {
        Some(false) => "host without a compiler: it loads what `loopgate compile` has made\n",
        _ => "",
    };
    let power = board.power.as_ref();
    let power = power.map(|power| format!(", power {}", plain(power)));
    let backend = board.backend.as_ref();
    let backend = backend.map(|backend| format!(", backend {}", plain(backend)));
    format!(
        "{}{}, {} clock{}, up {}\n{}{compiler}\n{}{gap}{failures}",
        plain(&board.board),
        backend.unwrap_or_default(),
        plain(&board.clock),
        power.unwrap_or_default(),
        time(board.uptime_ns),
        held.collect::<String>(),
        table(&rows)
    )
}

fn row(driver: &Driver) -> Vec<String> {
    let count = |name| driver.count(name).to_string();
    vec![
        plain(&driver.name).into_owned(),
        plain(&driver.state).into_owned(),
        driver.generation.to_string(),
        plain(&driver.work_loop).into_owned(),
        count("calls"),
        count("interrupts"),
        count("lost"),
        count("timeouts"),
        count("commands"),
        time(driver.handler_time.mean_ns),
        time(driver.handler_time.longest_ns),
    ]
}
