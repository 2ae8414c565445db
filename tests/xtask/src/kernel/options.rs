//! What is asked for, and which kernel that needs.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::Misuse;
use crate::architecture::Architecture;
use crate::workspace::Workspace;

/// Where kernels are, beside the repository.
const FOLDER: &str = "../shared/kernel";
/// Another folder.
const VARIABLE: &str = "LOOPGATE_KERNELS";

pub(super) struct Options {
    pub(super) architectures: Vec<Architecture>,
    kernel: Option<PathBuf>,
    /// Without the program.
    pub(super) only_devices: bool,
    /// Where something is missing this says so, and passes.
    pub(super) if_possible: bool,
    pub(super) json: bool,
}

impl Options {
    pub(super) fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            architectures: Architecture::ALL.to_vec(),
            kernel: None,
            only_devices: false,
            if_possible: false,
            json: false,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match (word.as_str(), words.as_slice().first()) {
                ("--json", _) => options.json = true,
                ("--only-devices", _) => options.only_devices = true,
                ("--if-possible", _) => options.if_possible = true,
                ("--arch", Some(name)) => {
                    options.architectures = vec![Architecture::named(name)?];
                    words.next();
                }
                ("--kernel", Some(path)) => {
                    options.kernel = Some(path.into());
                    words.next();
                }
                ("--arch" | "--kernel", None) => return misused(format!("`{word}` needs a value")),
                _ => {
                    return misused(format!(
                        "unexpected argument `{word}`; try `--arch aarch64`"
                    ));
                }
            }
        }
        if options.kernel.is_some() && options.architectures.len() != 1 {
            return misused("`--kernel` needs an `--arch`: a kernel is of one architecture");
        }
        Ok(options)
    }

    /// The image for each architecture.
    pub(super) fn kernels(&self, workspace: &Workspace) -> Result<Vec<(Architecture, PathBuf)>> {
        let folder = match std::env::var_os(VARIABLE) {
            Some(folder) => PathBuf::from(folder),
            None => workspace.root.join(FOLDER),
        };
        let image = |architecture: &Architecture| {
            let path = match &self.kernel {
                Some(path) => path.clone(),
                None => folder.join(architecture.image()),
            };
            if !path.is_file() {
                bail!(
                    "there is no kernel `{}`; tests/devices/KERNEL.md says how it is made, \
                     `--kernel PATH` or `{VARIABLE}=FOLDER` where it is",
                    path.display()
                );
            }
            Ok((*architecture, path))
        };
        self.architectures.iter().map(image).collect()
    }
}

fn misused<T>(what: impl Into<String>) -> Result<T> {
    Err(Misuse::error(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options> {
        Options::read(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn both_architectures_unless_one_is_named() {
        assert_eq!(read(&[]).unwrap().architectures, Architecture::ALL);
        let options = read(&["--json", "--arch", "aarch64", "--kernel", "Image"]).unwrap();
        assert_eq!(options.architectures, [Architecture::Arm]);
        assert!(options.json && !options.only_devices);
    }

    #[test]
    fn mistakes_are_named() {
        for (words, said) in [
            (&["--arch", "sparc"][..], "no architecture `sparc`"),
            (&["--arch"], "needs a value"),
            (&["--kernel", "Image"], "needs an `--arch`"),
            (&["all"], "unexpected argument `all`"),
        ] {
            let error = read(words).err().unwrap().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
