//! `loopgate check`.

use std::process::ExitCode;

use anyhow::Result;
use loopgate::{BoardFile, Inspection, inspect};

use crate::arguments::Check;
use crate::output::{plain, print, print_json};

pub(crate) fn run(check: &Check) -> Result<ExitCode> {
    let board = check.board.as_ref().map(BoardFile::read).transpose()?;
    let inspection = match inspect(&check.component, board.as_ref()) {
        Ok(inspection) => inspection,
        // A script gets one form, whatever is wrong.
        Err(error) if check.json => unusable(check, error.to_string()),
        Err(error) => return Err(error.into()),
    };
    if check.json {
        print_json(&inspection)?;
    } else {
        print(&report(&inspection))?;
    }
    let good = inspection.loads && inspection.missing.is_empty();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn unusable(check: &Check, cause: String) -> Inspection {
    Inspection {
        component: check.component.display().to_string(),
        loads: false,
        missing: vec![cause.clone()],
        cause: Some(cause),
        imports: Vec::new(),
        backend: None,
        grants: Vec::new(),
        unused: Vec::new(),
    }
}

fn report(inspection: &Inspection) -> String {
    let Inspection {
        component,
        loads,
        imports,
        backend,
        grants,
        unused,
        missing,
        ..
    } = inspection;
    let mut text = format!(
        "{}: {}\n",
        plain(component),
        if *loads {
            "a driver that loads"
        } else {
            "does not load"
        }
    );
    let imports = imports.iter().map(|finding| {
        let mark = if finding.known { "" } else { "UNKNOWN, " };
        format!("{}: {mark}{}", plain(&finding.import), finding.meaning)
    });
    text += &section("imports", imports);
    if let Some(backend) = backend {
        text += &section("board", std::iter::once(format!("backend {backend}")));
        text += &section(
            "granted",
            grants.iter().map(|grant| plain(grant).into_owned()),
        );
        text += &section(
            "granted, and not used",
            unused.iter().map(|grant| plain(grant).into_owned()),
        );
    }
    text + &section(
        "missing",
        missing.iter().map(|thing| plain(thing).into_owned()),
    )
}

fn section(head: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<_> = lines.map(|line| format!("  {line}\n")).collect();
    let lines = if lines.is_empty() {
        "  nothing\n".to_owned()
    } else {
        lines.concat()
    };
    format!("{head}\n{lines}")
}
