//! `loopgate new`.

mod project;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::arguments::New;
use crate::output::{plain, print};
pub(crate) use project::Name;
use project::{Project, Sdk};

pub(crate) fn run(new: &New) -> Result<ExitCode> {
    let sdk = Sdk::choose(new.sdk.as_deref())?;
    let folder = new.path.clone();
    let folder = folder.unwrap_or_else(|| PathBuf::from(new.name.as_str()));
    let project = Project {
        name: &new.name,
        sdk: &sdk,
    };
    project.make(&folder)?;
    print(&what_next(&new.name, &folder, &sdk))?;
    Ok(ExitCode::SUCCESS)
}

fn what_next(name: &Name, folder: &Path, sdk: &Sdk) -> String {
    let folder = folder.display().to_string();
    let folder = plain(&folder);
    let sdk = match sdk {
        Sdk::Folder(path) => format!("{} (`--sdk` names another)", plain(path)),
        Sdk::Version(version) => {
            format!(
                "version {version} of crates.io, since the checkout that this program was built from is \
                 gone; `--sdk PATH` uses the folder `guest-sdk` of another"
            )
        }
    };
    let component = format!("target/wasm32-wasip2/release/{}.wasm", name.artifact());
    format!(
        "made a driver in {folder}\nSDK: {sdk}\n\nNext:\n  cd {folder}\n  cargo build --release\n  \
         loopgate conform {component} --scenario conform\n  loopgate run board.toml\n\n\
         {folder}/README.md says what to try then.\n"
    )
}
