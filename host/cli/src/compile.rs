//! `loopgate compile`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use loopgate::control::to_hex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::arguments::Compile;
use crate::output::{print, print_json};

/// What was made.
#[derive(Serialize)]
struct Made {
    bytes: usize,
    sha256: String,
}

pub(crate) fn run(compile: &Compile) -> Result<ExitCode> {
    let code = loopgate::compile(&compile.component)?;
    std::fs::write(&compile.output, &code)
        .with_context(|| format!("cannot write `{}`", compile.output.display()))?;
    let made = Made {
        bytes: code.len(),
        sha256: to_hex(&Sha256::digest(&code)),
    };
    if compile.json {
        print_json(&made)?;
    } else {
        print(&format!("sha256 = \"{}\"", made.sha256))?;
    }
    Ok(ExitCode::SUCCESS)
}
