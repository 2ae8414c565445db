//! What compiled code is for.

use std::fmt;
use std::str::FromStr;

/// What compiled code is for: a processor with Linux, or an interpreter of its own
/// code, which wasmtime has for those processors that it has no compiler for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Code);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Code {
    Native(&'static str),
    Interpreted(&'static str),
}

/// Processors that wasmtime compiles for, and other names of theirs.
const NATIVE: [(&str, &[&str]); 4] = [
    ("x86_64", &[]),
    ("aarch64", &["arm64"]),
    ("riscv64", &["riscv64gc"]),
    ("s390x", &[]),
];

/// The interpreters, and processors that have their words and order of bytes.
const INTERPRETED: [(&str, &[&str]); 2] = [
    (
        "pulley32",
        &[
            "arm",
            "armv5te",
            "armv6",
            "armv7",
            "armv7l",
            "i586",
            "i686",
            "thumbv7neon",
        ],
    ),
    ("pulley64", &["loongarch64", "powerpc64le"]),
];

/// With a compiler for these, beside its own, where it has the feature `all-targets`.
const ALL_TARGETS: [&str; 2] = ["x86_64", "aarch64"];

impl Target {
    /// What this host runs.
    pub fn here() -> Self {
        let mut native = NATIVE.iter();
        let native = native.find(|(name, _)| *name == std::env::consts::ARCH);
        Self(match native {
            Some((name, _)) => Code::Native(name),
            None if cfg!(target_pointer_width = "32") => Code::Interpreted("pulley32"),
            None => Code::Interpreted("pulley64"),
        })
    }

    /// As wasmtime names it.
    #[cfg(feature = "compiler")]
    pub(crate) fn triple(&self) -> String {
        match self.0 {
            Code::Native(name) => format!("{name}-unknown-linux-gnu"),
            Code::Interpreted(name) => name.to_owned(),
        }
    }

    /// What compiles for it.
    pub(crate) fn compiled_by(&self) -> &'static str {
        match self.0 {
            Code::Native(name) if ALL_TARGETS.contains(&name) => {
                "use one that was built with `--features all-targets`, or compile on such a machine"
            }
            _ => "compile on such a machine",
        }
    }
}

/// A Rust target, for example `aarch64-unknown-linux-musl`, or what is displayed.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (processor, system) = text.split_once('-').unwrap_or((text, "linux"));
        let code = named(&NATIVE, processor).map(Code::Native);
        let code = code.or_else(|| named(&INTERPRETED, processor).map(Code::Interpreted));
        match code {
            Some(code) if processor.starts_with("pulley") || system.split('-').any(|part| part == "linux") => {
                Ok(Self(code))
            }
            Some(_) => Err("hosts run on Linux; write for example `aarch64-unknown-linux-musl`".into()),
            None => Err("it is none that wasmtime has; write for example `aarch64-unknown-linux-musl` or `pulley32`".into()),
        }
    }
}

/// The one that goes by this name.
fn named(all: &[(&'static str, &[&str])], wanted: &str) -> Option<&'static str> {
    let mut all = all.iter();
    let found = all.find(|(name, others)| *name == wanted || others.contains(&wanted));
    found.map(|(name, _)| *name)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Code::Native(name) => write!(f, "{name}-linux"),
            Code::Interpreted(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_go_by_what_matters_of_them() {
        for (text, name) in [
            ("aarch64-unknown-linux-musl", "aarch64-linux"),
            ("aarch64", "aarch64-linux"),
            ("arm64", "aarch64-linux"),
            ("aarch64-linux-android", "aarch64-linux"),
            ("x86_64-linux", "x86_64-linux"),
            ("riscv64gc-unknown-linux-gnu", "riscv64-linux"),
            ("armv7-unknown-linux-musleabihf", "pulley32"),
            ("arm-unknown-linux-gnueabihf", "pulley32"),
            ("pulley64", "pulley64"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), name);
            assert_eq!(name.parse(), Ok(target), "{name}");
        }
        for wrong in [
            "",
            "-",
            "vax",
            "aarch64-apple-darwin",
            "aarch64_be-unknown-linux-gnu",
            "armeb-unknown-linux-gnueabi",
            "i686-pc-windows-msvc",
            "pulley32be",
            "wasm32-wasip2",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
        let here = Target::here();
        assert_eq!(here.to_string().parse(), Ok(here));
        let by_feature = |text: &str| {
            let target: Target = text.parse().unwrap();
            target.compiled_by().contains("all-targets")
        };
        assert!(by_feature("arm64") && !by_feature("riscv64"));
    }
}
