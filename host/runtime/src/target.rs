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

/// Processors that wasmtime compiles for.
const NATIVE: [&str; 4] = ["x86_64", "aarch64", "riscv64", "s390x"];

/// Words of an address of the others, as their names begin.
const INTERPRETED: [(&str, &str); 8] = [
    ("pulley32", "pulley32"),
    ("pulley64", "pulley64"),
    ("arm", "pulley32"),
    ("thumb", "pulley32"),
    ("i586", "pulley32"),
    ("i686", "pulley32"),
    ("loongarch64", "pulley64"),
    ("powerpc64le", "pulley64"),
];

impl Target {
    /// What this host runs.
    pub fn here() -> Self {
        let native = NATIVE.iter().find(|name| **name == std::env::consts::ARCH);
        Self(match native {
            Some(name) => Code::Native(name),
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
}

/// A Rust target, for example `aarch64-unknown-linux-musl`, or what is displayed.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (processor, system) = text.split_once('-').unwrap_or((text, "linux"));
        let interpreted = INTERPRETED.iter();
        let mut interpreted = interpreted.filter(|(begin, _)| processor.starts_with(begin));
        if let Some((_, name)) = interpreted.next() {
            return Ok(Self(Code::Interpreted(name)));
        }
        // There are several of some, for example `riscv64gc`.
        let native = NATIVE.iter().find(|name| processor.starts_with(**name));
        match native {
            Some(name) if system.contains("linux") => Ok(Self(Code::Native(name))),
            Some(_) => Err("hosts run on Linux; write for example `aarch64-unknown-linux-musl`".into()),
            None => Err("it is none that wasmtime has; write for example `aarch64-unknown-linux-musl` or `pulley32`".into()),
        }
    }
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
        for wrong in ["", "-", "vax", "aarch64-apple-darwin", "wasm32-wasip2"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
        let here = Target::here();
        assert_eq!(here.to_string().parse(), Ok(here));
    }
}
