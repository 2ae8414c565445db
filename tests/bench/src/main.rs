//! What the gate costs, as ratios: machines differ and are noisy, so each row
//! is measured alternately with what it is compared to, in one run.

mod bare;
mod driver_process;
mod echo;
mod measure;
mod rows;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use table::Row;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (json, only) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (false, ""),
        ["--json"] => (true, ""),
        ["--only", only] => (false, only),
        [driver_process::ARGUMENT] => return done(driver_process::answer().map(|()| true)),
        _ => {
            eprintln!("usage: cargo xtask bench [--json | --only ROW]");
            return ExitCode::from(2);
        }
    };
    done(rows::measure_all(&target(), only).map(|rows| {
        table::print(&rows, json);
        rows.iter().all(Row::is_met)
    }))
}

fn done(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where `cargo xtask` leaves drivers and guests: the target directory that
/// this program was built into.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|folder| folder.join("guests").is_dir());
    target.map_or_else(|| PathBuf::from("target"), Path::to_owned)
}
