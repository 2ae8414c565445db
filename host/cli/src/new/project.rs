//! The project of a driver, as files.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

/// Where each file goes, and what is in it.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/manifest.toml")),
    (
        ".cargo/config.toml",
        include_str!("template/cargo-config.toml"),
    ),
    (".gitignore", include_str!("template/gitignore")),
    ("README.md", include_str!("template/README.md")),
    ("board.toml", include_str!("template/board.toml")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("conform/counts.toml", include_str!("template/counts.toml")),
    (
        ".github/workflows/conform.yml",
        include_str!("template/conform.yml"),
    ),
    (
        "rust-toolchain.toml",
        include_str!("../../../../rust-toolchain.toml"),
    ),
];

/// The SDK of the checkout that this program was built from.
const OWN_SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk");

pub(super) struct Project<'a> {
    pub(super) name: &'a Name,
    pub(super) sdk: &'a Sdk,
}

impl Project<'_> {
    /// Writes the files into `folder`, which must be empty or not yet there.
    pub(super) fn make(&self, folder: &Path) -> Result<()> {
        check_empty(folder)?;
        for (file, template) in FILES {
            self.write(&folder.join(file), template)?;
        }
        Ok(())
    }

    fn write(&self, path: &Path, template: &str) -> Result<()> {
        let text = template
            .replace("{{name}}", self.name.as_str())
            .replace("{{crate}}", &self.name.artifact())
            .replace("{{sdk}}", &self.sdk.dependency());
        let parent = path.parent().unwrap_or(path);
        fs::create_dir_all(parent)
            .and_then(|()| fs::File::create_new(path)?.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write `{}`", path.display()))
    }
}

fn check_empty(folder: &Path) -> Result<()> {
    let remedy = "choose another folder with `--path`";
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!("`{}` is not empty; {remedy}", folder.display()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context(format!("cannot use `{}`; {remedy}", folder.display())),
    }
}

/// The name of a driver, its package and its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// As long as a driver's name on a board can be.
const NAME_MAX: usize = 64;

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What cargo calls the component that it builds.
    pub(crate) fn artifact(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for Name {
    type Err = String;

    /// What cargo and a board file both accept.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if begins && text.len() <= NAME_MAX && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "a driver's name begins with a letter and has at most {NAME_MAX} letters, digits, `-` and `_`"
        ))
    }
}

/// Where the project finds `loopgate-guest`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sdk {
    /// An absolute path.
    Folder(String),
    /// A registry's version.
    Version(&'static str),
}

impl Sdk {
    /// The folder that was asked for; else that of our own checkout, while it
    /// is still there.
    pub(super) fn choose(asked: Option<&Path>) -> Result<Self> {
        if let Some(folder) = asked {
            return Self::in_folder(folder);
        }
        let own = Self::in_folder(Path::new(OWN_SDK));
        Ok(own.unwrap_or(Self::Version(env!("CARGO_PKG_VERSION"))))
    }

    fn in_folder(folder: &Path) -> Result<Self> {
        let remedy = "name the folder `guest-sdk` of a Loopgate checkout";
        let no_sdk = || format!("`{}` holds no SDK; {remedy}", folder.display());
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).with_context(no_sdk)?;
        if !manifest.contains("name = \"loopgate-guest\"") {
            bail!(no_sdk());
        }
        let path = folder.canonicalize().with_context(no_sdk)?;
        match path.to_str() {
            Some(path) if path.chars().all(loopgate::is_printable) => {
                Ok(Self::Folder(path.to_owned()))
            }
            _ => bail!(
                "`{}` cannot stand in a Cargo.toml; move the checkout",
                path.display()
            ),
        }
    }

    fn dependency(&self) -> String {
        match self {
            // Of printable text JSON and TOML make the same string.
            Self::Folder(path) => format!("{{ path = {} }}", serde_json::Value::from(path.clone())),
            Self::Version(version) => format!("\"{version}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suits_cargo_and_board() {
        for name in ["lamp", "my-driver_2", "A"] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        let long = "x".repeat(NAME_MAX + 1);
        for name in [
            "", "2lamps", "-lamp", "la.mp", "la mp", "lämp", "a/b", &long,
        ] {
            let error = name.parse::<Name>().unwrap_err();
            assert!(error.contains("begins with a letter"), "{name}: {error}");
        }
    }

    #[test]
    fn every_file_is_written_and_no_place_is_left_open() {
        let folder = tempfile::tempdir().unwrap();
        let name = "my-lamp".parse().unwrap();
        let sdk = Sdk::Folder("/a \"b\"/guest-sdk".to_owned());
        let project = Project {
            name: &name,
            sdk: &sdk,
        };
        project.make(folder.path()).unwrap();
        let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
        for (file, _) in FILES {
            // GitHub's own places are for GitHub.
            let ours = read(file).replace("${{", "");
            assert!(!ours.contains("{{"), "{file}");
        }
        let dependency = r#"loopgate-guest = { path = "/a \"b\"/guest-sdk" }"#;
        assert!(read("Cargo.toml").contains(dependency));
        for file in ["board.toml", "README.md", ".github/workflows/conform.yml"] {
            assert!(read(file).contains("release/my_lamp.wasm"), "{file}");
        }
        let error = project.make(folder.path()).unwrap_err().to_string();
        assert!(error.contains("not empty; choose another"), "{error}");
    }

    #[test]
    fn an_sdk_is_looked_at_before_anything_is_written() {
        assert!(matches!(Sdk::choose(None).unwrap(), Sdk::Folder(_)));
        for folder in ["/nowhere", env!("CARGO_MANIFEST_DIR")] {
            let error = Sdk::choose(Some(Path::new(folder))).unwrap_err();
            assert!(error.to_string().contains("`guest-sdk`"), "{error:#}");
        }
        assert_eq!(Sdk::Version("0.1.0").dependency(), "\"0.1.0\"");
    }
}
