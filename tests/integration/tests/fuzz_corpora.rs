//! What the fuzz targets do, with the bytes that were kept, on the project's own
//! toolchain: what was found once stays mended.

use loopgate_integration::fuzzing::TARGETS;
use loopgate_integration::root;
use std::fs;
use std::path::PathBuf;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = root().join("fuzz/corpus").join(target);
    let listed =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn play(name: &str) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = target.unwrap();
    let files = corpus(name);
    assert!(!files.is_empty(), "no corpus of `{name}`");
    for file in files {
        // Which one it was, where it does not come back or panics.
        eprintln!("{}", file.display());
        target(&fs::read(&file).unwrap());
    }
}

#[test]
fn board_files() {
    play("board_file");
}

#[test]
fn recordings() {
    play("sr");
}

#[test]
fn the_control_protocol() {
    play("control");
}

#[test]
fn components() {
    play("component");
}

#[test]
fn calls_of_the_host() {
    play("host_calls");
}

/// A target without a corpus, or the other way round, is one that somebody
/// forgot.
#[test]
fn each_target_is_one_of_the_fuzzer_s() {
    let listed = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap();
    let mut there: Vec<_> = listed
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
        .collect();
    there.sort();
    let mut known: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(there, known);
}
