//! The machine's first files, in the format that kernels unpack (`newc`).

use std::io::{self, Write};

/// An executable file, and the folders that it is in.
pub(super) fn add(into: &mut impl Write, path: &str, bytes: &[u8]) -> io::Result<()> {
    const FOLDER: u32 = 0o040_755;
    const PROGRAM: u32 = 0o100_755;
    for (end, _) in path.match_indices('/') {
        entry(into, &path[..end], FOLDER, &[])?;
    }
    entry(into, path, PROGRAM, bytes)
}

pub(super) fn end(into: &mut impl Write) -> io::Result<()> {
    entry(into, "TRAILER!!!", 0, &[])
}

fn entry(into: &mut impl Write, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let size = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let length = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
    // Number, mode, owner, group, links, time, size, four of devices, the
    // name's length, check sum.
    let fields = [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0];
    let mut head = b"070701".to_vec();
    for field in fields {
        write!(head, "{field:08x}")?;
    }
    head.extend_from_slice(name.as_bytes());
    head.push(0);
    head.resize(head.len().next_multiple_of(4), 0);
    into.write_all(&head)?;
    into.write_all(bytes)?;
    into.write_all(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()])
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_begins_at_a_multiple_of_four() {
        let mut archive = Vec::new();
        super::add(&mut archive, "bin/a", b"12345").unwrap();
        super::end(&mut archive).unwrap();
        assert_eq!(archive.len() % 4, 0);
        let heads: Vec<_> = archive
            .windows(6)
            .enumerate()
            .filter(|(_, bytes)| bytes == b"070701")
            .map(|(at, _)| at)
            .collect();
        assert_eq!(heads.len(), 3);
        assert!(heads.iter().all(|at| at % 4 == 0));
        assert_eq!(&archive[heads[1] + 54..heads[1] + 62], b"00000005");
    }
}
