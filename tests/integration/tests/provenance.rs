//! Which code is run: the component that the board file means, and compiled
//! code that this host made.

use loopgate::control::to_hex;
use loopgate::{ErrorCode, State};
use loopgate_integration::program::command;
use loopgate_integration::{
    Random, assert_running, driver, entry, guest, real_board, state, until, virtual_board,
};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

fn digest(path: &Path) -> String {
    to_hex(&Sha256::digest(std::fs::read(path).unwrap()))
}

#[test]
fn a_component_that_is_not_the_one_meant_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("echo.wasm");
    std::fs::copy(guest("probe_echo"), &component).unwrap();
    let meant = digest(&component);
    let other = digest(&driver("blink"));
    let rest = |sha256: &str| {
        format!("sha256 = \"{sha256}\"\nprovides = [\"echo\"]\nconfig = {{ service = \"echo\" }}")
    };
    let board = virtual_board(
        entry("good", &component, &rest(&meant.to_uppercase()))
            + &entry(
                "bad",
                &guest("probe_echo"),
                &format!("sha256 = \"{other}\""),
            ),
    );
    assert_running(&board, "good");
    let (bad, cause) = state(&board, "bad");
    assert_eq!(bad, State::Failed);
    for part in [
        &format!("SHA-256 {meant}"),
        &format!("wants {other}"),
        "into `sha256`",
    ] {
        assert!(cause.contains(part), "{cause}");
    }
    // Replaced under a board that runs: refused, and the old one goes on.
    std::fs::copy(driver("blink"), &component).unwrap();
    let error = board.reload("good").unwrap_err();
    assert_eq!(error.code, ErrorCode::BadArgument);
    assert!(error.message.contains("the old version goes on"), "{error}");
    assert!(
        error.message.contains(&format!("SHA-256 {other}")),
        "{error}"
    );
    assert_running(&board, "good");
    assert_eq!(board.status().drivers[0].generation, 1);
}

/// `loopgate check`, which compiles or takes from the cache, begun.
fn check(folder: &Path) -> Child {
    command(folder)
        .env("XDG_CACHE_HOME", folder)
        .arg("check")
        .arg(driver("blink"))
        .arg("--json")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(folder.join("loopgate")) else {
        return Vec::new();
    };
    listed.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn hosts_that_fill_one_cache_at_once_and_find_it_damaged_all_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut random = Random(0x00c0_ffee);
    let mut whole = None;
    for _ in 0..20 {
        let hosts = [check(folder), check(folder), check(folder)];
        for host in hosts {
            end(host);
        }
        let [kept] = &entries(folder)[..] else {
            panic!("{:?}", entries(folder));
        };
        let bytes = std::fs::read(kept).unwrap();
        assert_eq!(whole.get_or_insert_with(|| bytes.clone()), &bytes);
        let position = random.below(bytes.len());
        let mut damaged = bytes;
        if random.below(2) == 0 {
            damaged.truncate(position);
        } else {
            damaged[position] ^= 1 << random.below(8);
        }
        std::fs::write(kept, damaged).unwrap();
    }
}

#[test]
fn a_host_that_is_killed_while_it_fills_the_cache_leaves_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for _ in 0..5 {
        let mut host = check(folder);
        // As it begins to write, or just before or after.
        until("it writes, or is done", || {
            !entries(folder).is_empty() || host.try_wait().unwrap().is_some()
        });
        host.kill().unwrap();
        host.wait().unwrap();
        end(check(folder));
        for entry in entries(folder) {
            std::fs::remove_file(entry).unwrap();
        }
    }
}

/// What `loopgate compile` makes of a component, and the line that it prints.
fn compiled(folder: &Path, component: &Path) -> (PathBuf, String) {
    let file = folder.join("driver.cwasm");
    let mut compile = command(folder);
    compile.arg("compile").arg(component).arg("-o").arg(&file);
    let output = compile.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, format!("sha256 = \"{}\"\n", digest(&file)));
    (file, printed)
}

#[test]
fn compiled_code_is_loaded_with_its_digest_and_not_without() {
    let folder = tempfile::tempdir().unwrap();
    // One with filters, which are compiled for themselves.
    let (file, sha256) = compiled(folder.path(), &guest("probe_filter"));
    let rest = "provides = [\"filter\"]\n[driver.gpio]\n\
        other = { line = \"OTHER\", direction = \"input\" }\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let good = entry("good", &file, &format!("{sha256}{rest}"));
    let board = real_board(&good);
    assert_running(&board, "good");
    board.sim().set("IN", true).unwrap();
    let counts = board.status().drivers[0].counts;
    assert_eq!(counts.claimed + counts.declined, 1, "its filter was asked");
    let board = real_board(entry("bad", &file, rest));
    let (bad, cause) = state(&board, "bad");
    assert_eq!(bad, State::Failed);
    assert!(
        cause.contains("only where the board file has its digest"),
        "{cause}"
    );
    let (state, cause) = state(&virtual_board(good), "good");
    assert_eq!(state, State::Failed);
    assert!(cause.contains("and this one's is virtual"), "{cause}");
}

#[test]
fn compiled_code_is_checked_against_the_entry_that_has_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (file, sha256) = compiled(folder.path(), &driver("blink"));
    let board = folder.path().join("board.toml");
    let checked = |sha256: &str| {
        let rest =
            format!("{sha256}[driver.gpio]\nled = {{ line = \"LED\", direction = \"output\" }}");
        let blink = entry("blink", &file, &rest);
        std::fs::write(&board, format!("[board]\nbackend = \"sim\"\n{blink}")).unwrap();
        let mut check = command(folder.path());
        check.arg("check").arg(&file).arg("--board").arg(&board);
        check.output().unwrap()
    };
    let good = checked(&sha256);
    assert!(good.status.success(), "{good:?}");
    let printed = String::from_utf8(good.stdout).unwrap();
    assert!(printed.contains("loopgate:driver/gpio"), "{printed}");
    let bad = checked("");
    assert_eq!(bad.status.code(), Some(1));
    let said = String::from_utf8(bad.stderr).unwrap();
    assert!(said.contains("digest"), "{said}");
}
