//! Which code is run: the component that the board file means, and compiled
//! code that this host made.

use loopgate::control::to_hex;
use loopgate::{BoardFile, ErrorCode, State, Target, Watch};
use loopgate_integration::program::command;
use loopgate_integration::{
    Random, assert_running, driver, entry, guest, real_board, state, until, virtual_board,
};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::Arc;

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

/// `loopgate compile`.
fn compile(folder: &Path, component: &Path, file: &Path, more: &[&str]) -> Output {
    let mut compile = command(folder);
    compile.arg("compile").arg(component).arg("-o").arg(file);
    compile.args(more).output().unwrap()
}

/// What it says where it fails.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What `loopgate compile` makes of a component, and the line that it prints.
fn compiled(folder: &Path, component: &Path) -> (PathBuf, String) {
    let file = folder.join("driver.cwasm");
    let output = compile(folder, component, &file, &[]);
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
    let board = virtual_board(entry("good", &file, &format!("{sha256}{rest}")));
    assert_running(&board, "good");
    board.sim().set("IN", true).unwrap();
    let counts = board.status().drivers[0].counts;
    assert_eq!(counts.claimed + counts.declined, 1, "its filter was asked");
    let board = virtual_board(entry("bad", &file, rest));
    let (bad, cause) = state(&board, "bad");
    assert_eq!(bad, State::Failed);
    assert!(
        cause.contains("only where the board file has its digest"),
        "{cause}"
    );
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

#[test]
fn what_is_compiled_does_not_overwrite_its_component_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let component = path("driver.wasm");
    std::fs::copy(driver("blink"), &component).unwrap();
    std::fs::hard_link(&component, path("hard")).unwrap();
    std::os::unix::fs::symlink(&component, path("link")).unwrap();
    let before = digest(&component);
    for output in ["driver.wasm", "hard", "link"] {
        let said = refused(&compile(folder.path(), &component, &path(output), &[]));
        assert!(said.contains("is the component itself"), "{said}");
        assert!(said.contains(output), "{said}");
        assert_eq!(digest(&component), before);
    }
}

#[test]
fn what_cannot_be_compiled_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = compiled(folder.path(), &driver("blink"));
    let out = folder.path().join("out");
    let said = |component: &Path| refused(&compile(folder.path(), component, &out, &[]));
    let again = said(&file);
    assert!(again.contains("is compiled code already"), "{again}");
    let absent = said(Path::new("nowhere.wasm"));
    for part in ["`nowhere.wasm` cannot be read", "check the path"] {
        assert!(absent.contains(part), "{absent}");
    }
    assert!(!out.exists());
}

#[test]
fn code_for_another_machine_is_refused_with_the_names_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("driver.cwasm");
    let here = Target::here().to_string();
    // What this host has the compiler of, whatever it was built with.
    let component = guest("probe_filter");
    for target in ["pulley32", "pulley64"] {
        let output = compile(folder.path(), &component, &file, &["--target", target]);
        assert!(output.status.success(), "{output:?}");
        let rest = format!("sha256 = \"{}\"", digest(&file));
        let board = virtual_board(entry("d", &file, &rest));
        let (now, cause) = state(&board, "d");
        assert_eq!(now, State::Failed);
        for part in [&format!("for `{target}`"), &format!("runs `{here}`")] {
            assert!(cause.contains(part), "{cause}");
        }
    }
    // For this kind of machine, and not for this one alone.
    let output = compile(folder.path(), &driver("blink"), &file, &["--target", &here]);
    assert!(output.status.success(), "{output:?}");
    let pin = "[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let rest = format!("sha256 = \"{}\"\n{pin}", digest(&file));
    assert_running(&virtual_board(entry("d", &file, &rest)), "d");
    // Where it has the compiler for it, the code is for it.
    let other = if here == "aarch64-linux" {
        "x86_64"
    } else {
        "aarch64"
    };
    let output = compile(folder.path(), &component, &file, &["--target", other]);
    if output.status.success() {
        let begin = format!("loopgate code 2 {other}-linux\n");
        assert!(std::fs::read(&file).unwrap().starts_with(begin.as_bytes()));
    } else {
        let said = refused(&output);
        assert!(said.contains("--features all-targets"), "{said}");
    }
}

/// The board file says which one it means; the watch changes nothing by itself.
#[test]
fn a_board_goes_from_one_compiled_driver_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let rest = "provides = [\"button-led\", \"counter\"]\n[driver.gpio]\n\
        button = { line = \"BUTTON\", direction = \"input\", edges = \"both\" }\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
        led = { line = \"LED\", direction = \"output\" }";
    let (file, first) = compiled(folder.path(), &driver("button_led"));
    let board = Arc::new(real_board(entry("d", &file, &format!("{first}{rest}"))));
    let _watch = Watch::new(board.clone()).unwrap();
    assert_running(&board, "d");
    let aside = tempfile::tempdir_in(folder.path()).unwrap();
    let (new, second) = compiled(aside.path(), &guest("probe_counter"));
    std::fs::rename(new, &file).unwrap();
    let error = board.reload("d").unwrap_err();
    assert!(error.message.contains("into `sha256`"), "{error}");
    assert_eq!(board.driver_state("d").unwrap(), (State::Running, 1));
    let drivers = entry("d", &file, &format!("{second}{rest}"));
    let text = format!("[board]\nbackend = \"sim\"\n{drivers}");
    let changes = board.change_to(BoardFile::parse(&text, "test.toml").unwrap());
    assert_eq!(changes.unwrap().reloaded, ["d"]);
    assert_running(&board, "d");
    assert_eq!(loopgate_integration::ask(&board, "counter", "edges"), 0);
}
