//! A folder as `.tar.gz`: the same files give the same bytes.

use std::collections::BTreeMap;
use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Of every file. Not 0, which `tar` warns of as too old.
const TIME: u64 = 1_000_000_000;

/// By their names in the folder, and so in their order.
pub(super) type Files = BTreeMap<String, File>;

pub(super) struct File {
    bytes: Vec<u8>,
    mode: u32,
}

impl File {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, mode: 0o644 }
    }

    pub(super) fn program(bytes: Vec<u8>) -> Self {
        Self { bytes, mode: 0o755 }
    }
}

pub(super) fn packed(folder: &str, files: &Files) -> io::Result<Vec<u8>> {
    let gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(gzip);
    for (name, file) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_mtime(TIME);
        header.set_uid(0);
        header.set_gid(0);
        let path = format!("{folder}/{name}");
        archive.append_data(&mut header, path, &*file.bytes)?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_archive_has_its_files_in_order_and_nothing_of_this_machine() {
        let files = || {
            let program = ("run".to_owned(), File::program(b"code".to_vec()));
            let text = ("drivers/a".to_owned(), File::new(b"text".to_vec()));
            Files::from([program, text])
        };
        let bytes = packed("top", &files()).unwrap();
        assert_eq!(bytes, packed("top", &files()).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            let owner = (header.uid().unwrap(), header.gid().unwrap());
            assert_eq!((owner, header.mtime().unwrap()), ((0, 0), TIME));
            let path = entry.path().unwrap().display().to_string();
            found.push((path, header.mode().unwrap(), text));
        }
        let expected = [
            ("top/drivers/a".to_owned(), 0o644, "text".to_owned()),
            ("top/run".to_owned(), 0o755, "code".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
