//! What the gate costs, as ratios: machines differ and are noisy, so each row
//! is measured alternately with what it is compared to, in one run.

mod bare;
mod measure;
mod rows;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        _ => {
            eprintln!("usage: cargo xtask bench [--json]");
            return ExitCode::from(2);
        }
    };
    match rows::measure_all(&guests()) {
        Ok(rows) => {
            rows::print(&rows, json);
            if rows.iter().all(|row| row.met) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where `cargo xtask` leaves the guests: in the target directory that this
/// program was built into.
fn guests() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|folder| folder.join("guests").is_dir());
    target.map_or_else(
        || PathBuf::from("target/guests"),
        |target| target.join("guests"),
    )
}
