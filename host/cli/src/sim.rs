//! `loopgate sim`.

use std::process::ExitCode;

use anyhow::Result;
use loopgate::control::{Line, Request, Response};

use crate::arguments::{Level, Sim, SimSet, SimShow};
use crate::board;
use crate::output::{plain, print, print_json, table};

pub(crate) fn run(sim: Sim) -> Result<ExitCode> {
    match sim {
        Sim::Set(arguments) => set(arguments),
        Sim::Show(arguments) => show(&arguments),
    }
}

fn set(
    SimSet {
        line,
        level,
        socket,
    }: SimSet,
) -> Result<ExitCode> {
    let request = Request::SimSet {
        line,
        high: level == Level::High,
    };
    match board::ask(&socket, &request)? {
        Response::Done => Ok(ExitCode::SUCCESS),
        other => board::unexpected(&other),
    }
}

fn show(arguments: &SimShow) -> Result<ExitCode> {
    match board::ask(&arguments.socket, &Request::SimShow)? {
        Response::Lines(lines) if arguments.json => print_json(&lines)?,
        Response::Lines(lines) => print(&listed(&lines))?,
        other => return board::unexpected(&other),
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(lines: &[Line]) -> String {
    let heads = ["LINE", "LEVEL", "DRIVEN BY", "EDGES", "USED BY"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        let used = line
            .consumer
            .as_ref()
            .map(|consumer| format!("{} ({})", plain(consumer), plain(&line.direction)));
        vec![
            plain(&line.name).into_owned(),
            (if line.high { "high" } else { "low" }).to_owned(),
            if line.contention {
                "output against outside".to_owned()
            } else {
                plain(&line.driven_by).into_owned()
            },
            line.edges.to_string(),
            used.unwrap_or_default(),
        ]
    }));
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_row() {
        let free = Line {
            name: "GPIO17".into(),
            high: true,
            driven_by: "pull".into(),
            direction: "input".into(),
            contention: false,
            consumer: None,
            edges: 0,
        };
        let fought_over = Line {
            name: "GPIO27".into(),
            high: false,
            direction: "output".into(),
            contention: true,
            consumer: Some("blink".into()),
            edges: 12,
            ..free.clone()
        };
        assert_eq!(
            listed(&[free, fought_over]),
            "LINE    LEVEL  DRIVEN BY               EDGES  USED BY\n\
             GPIO17  high   pull                        0\n\
             GPIO27  low    output against outside     12  blink (output)\n"
        );
    }
}
