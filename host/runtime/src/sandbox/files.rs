//! Landlock: which files the host can still open.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    make_bitflags,
};

/// What the rights below were tried with. An older kernel holds what it can.
const KNOWN: ABI = ABI::V7;

/// What may be done with what lies under a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rights {
    Read,
    /// Make, write, replace and remove: files, links and sockets.
    Write,
    Devices,
}

/// The paths that stay open.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(PathBuf, Rights)>);

impl Rights {
    fn access(self) -> BitFlags<AccessFs> {
        let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        match self {
            Self::Read => read,
            Self::Write => {
                read | make_bitflags!(AccessFs::{
                    WriteFile | Truncate | RemoveFile | MakeReg | MakeSym | MakeSock
                })
            }
            Self::Devices => read | make_bitflags!(AccessFs::{WriteFile | Truncate | IoctlDev}),
        }
    }
}

impl Files {
    pub(super) fn add(&mut self, rights: Rights, path: &Path) {
        self.0.push((path.to_owned(), rights));
    }

    /// Where the file is, and where it really is: a link may lead elsewhere.
    pub(super) fn add_folder_of(&mut self, rights: Rights, file: &Path) {
        let here = std::path::absolute(file).ok();
        for file in here.into_iter().chain(file.canonicalize().ok()) {
            if let Some(folder) = file.parent() {
                self.add(rights, folder);
            }
        }
    }

    /// Makes the folder where it is missing, which the host could not do later.
    pub(super) fn make_folder_of(&mut self, file: &Path) {
        if let Some(folder) = file.parent() {
            // What fails here is reported by who needs the folder.
            let _ = std::fs::create_dir_all(folder);
        }
        self.add_folder_of(Rights::Write, file);
    }

    /// Drops the right to everything else. How far this kernel can hold it.
    pub(super) fn restrict(self) -> Result<String, String> {
        let rules = self.0.iter().filter_map(|(path, rights)| {
            // A path that is not there needs no rule.
            let place = PathFd::new(path).ok()?;
            let access = if path.is_dir() {
                rights.access()
            } else {
                rights.access() & AccessFs::from_file(KNOWN)
            };
            Some(PathBeneath::new(place, access))
        });
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(KNOWN))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(KNOWN)))
            .and_then(Ruleset::create)
            .map_err(|error| said(&error))?;
        for rule in rules {
            // A pipe or the like, as `/dev/stdout` may be, takes no rule, and needs none.
            if let Err(error) = (&mut ruleset).add_rule(rule) {
                tracing::debug!("no rule for a path: {error}");
            }
        }
        let status = ruleset.restrict_self().map_err(|error| said(&error))?;
        match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, _) => {
                Err("this kernel has no Landlock, or it is switched off".to_owned())
            }
            (_, LandlockStatus::Available { effective_abi, .. }) => Ok(format!(
                "on, version {} of its interface",
                effective_abi as i32
            )),
            _ => Ok("on".to_owned()),
        }
    }
}

fn said(error: &landlock::RulesetError) -> String {
    error.to_string()
}
