//! `loopgate compile`.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
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
    refuse_overwriting(compile)?;
    let code = loopgate::compile(&compile.component, compile.target.as_ref())?;
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

/// Whatever its names.
fn refuse_overwriting(compile: &Compile) -> Result<()> {
    let file = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let component = file(&compile.component);
    if component.is_some() && component == file(&compile.output) {
        bail!(
            "`{}` is the component itself; name another file for what is made of it",
            compile.output.display()
        );
    }
    Ok(())
}
