//! Which programs have devices open, as far as this user may see.

use std::fs;
use std::path::Path;

use super::{Port, names, text};

pub(super) fn find(root: &Path, ports: &mut [Port]) {
    let processes = root.join("proc");
    for process in names(&processes) {
        if process.parse::<u32>().is_err() {
            continue;
        }
        let folder = processes.join(&process);
        let open = names(&folder.join("fd"));
        for file in open {
            let Ok(file) = fs::read_link(folder.join("fd").join(file)) else {
                continue;
            };
            let same = |port: &&mut Port| Path::new(&port.node.path) == file;
            for port in ports.iter_mut().filter(same) {
                let name = text(&folder.join("comm")).unwrap_or_default();
                port.holder = Some(format!("{name} (process {process})"));
            }
        }
    }
}
