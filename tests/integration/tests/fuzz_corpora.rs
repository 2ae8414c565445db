//! What the fuzz targets do, with the bytes that were kept, on the project's own
//! toolchain: what was found once stays mended.

use loopgate_integration::fuzzing::TARGETS;
use loopgate_integration::{Random, root};
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

#[test]
fn scenarios() {
    play("scenario");
}

#[test]
fn traces() {
    play("trace");
}

/// The fuzzer does better, but needs a toolchain of its own: what was kept with a few
/// bytes changed, 200 times or as often as `LOOPGATE_MUTATIONS` says.
#[test]
fn traces_and_scenarios_with_other_bytes() {
    let rounds = std::env::var("LOOPGATE_MUTATIONS").map_or(200, |text| {
        text.parse().expect("`LOOPGATE_MUTATIONS` is a number")
    });
    let mut random = Random(11);
    for (name, target) in TARGETS {
        if !["trace", "scenario"].contains(name) {
            continue;
        }
        let kept = corpus(name).into_iter().map(|file| fs::read(file).unwrap());
        let kept: Vec<_> = kept.collect();
        for _ in 0..rounds {
            target(&mutated(&kept[random.below(kept.len())], &mut random));
        }
    }
}

fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = 1 + random.below(bytes.len() - 1);
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            2 => bytes.truncate(at + 1),
            3 => {
                let end = at + random.below(bytes.len() - at);
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => drop(bytes.remove(at)),
        }
        if bytes.len() < 3 {
            break;
        }
    }
    bytes
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
