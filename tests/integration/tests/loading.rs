//! Bad input: each is one clear error, and the rest of the board runs.

use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardError, BoardFile, State};
use loopgate_integration::{
    assert_running, data, driver, entry, guest, log, root, state, target, virtual_board,
};
use std::path::{Path, PathBuf};

/// A directory with this file in it.
fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    (directory, path)
}

/// A board with this component between two good drivers: why it failed.
fn cause_of_failure(component: &Path) -> String {
    let good = |name: &str| {
        entry(
            name,
            &guest("probe_echo"),
            &format!("provides = [\"{name}\"]\nconfig = {{ service = \"{name}\" }}"),
        )
    };
    let board = virtual_board(good("first") + &entry("bad", component, "") + &good("last"));
    assert_running(&board, "first");
    assert_running(&board, "last");
    let (state, cause) = state(&board, "bad");
    assert_eq!(state, State::Failed);
    assert!(cause.contains(component.to_str().unwrap()), "{cause}");
    cause
}

#[test]
fn what_is_no_component_is_named_with_its_remedy() {
    let cause = cause_of_failure(Path::new("/nowhere/missing.wasm"));
    assert!(cause.contains("cannot be read: No such file"), "{cause}");
    let module = wat::parse_str("(module)").unwrap();
    let elf = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let target = "build the driver with `--target wasm32-wasip2`";
    for (content, words, remedy) in [
        (
            &b"# Not a driver\n"[..],
            "is not WebAssembly (it begins with `# Not a `)",
            target,
        ),
        (b"", "is not WebAssembly (the file is empty)", target),
        (
            &elf[..4096],
            "is not WebAssembly (it is a native ELF file)",
            target,
        ),
        (&module, "is a core module, not a component", target),
        (
            &module[..7],
            "is not a valid component",
            "rebuild the driver",
        ),
    ] {
        let (_directory, path) = file("driver.wasm", content);
        let cause = cause_of_failure(&path);
        assert!(cause.contains(words) && cause.contains(remedy), "{cause}");
    }
    let cause = cause_of_failure(&target_folder());
    assert!(cause.contains("cannot be read: Is a directory"), "{cause}");
}

fn target_folder() -> PathBuf {
    target().join("guests")
}

#[test]
fn a_damaged_component_is_refused_wherever_it_is_damaged() {
    let whole = std::fs::read(guest("wat_minimal")).unwrap();
    for length in (8..whole.len()).step_by(whole.len() / 20) {
        let (_directory, path) = file("driver.wasm", &whole[..length]);
        let cause = cause_of_failure(&path);
        assert!(cause.contains("is not a"), "{length}: {cause}");
    }
}

#[test]
fn a_component_of_another_world_is_told_what_it_imports_or_lacks() {
    let import = |name: &str| format!("(component (import \"{name}\" (instance)))");
    for (component, words, remedy) in [
        (import("loopgate:driver/gpio@0.2.0"), "imports `loopgate:driver/gpio@0.2.0`, which this host does not have", "build it against `loopgate:driver@0.1.0`"),
        (import("wasi:sockets/tcp@0.2.0"), "imports `wasi:sockets/tcp@0.2.0`", "a driver reaches its devices through `loopgate:driver` alone"),
        (import("wasi:io/poll@0.3.0"), "imports `wasi:io/poll@0.3.0`", "remove what needs these"),
        ("(component)".into(), "is not a driver of `loopgate:driver@0.1.0`", "rebuild it against this host's contract"),
        ("(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) (func (export \"f\") (canon lift (core func $i \"f\"))))".into(), "handlers", "rebuild it"),
        // An import of ours with other types.
        ("(component (import \"loopgate:driver/log@0.1.0\" (instance (export \"log\" (func)))))".into(), "is not a driver of", "rebuild it"),
    ] {
        let (_directory, path) = file("driver.wasm", wat::parse_str(&component).unwrap());
        let cause = cause_of_failure(&path);
        assert!(cause.contains(words) && cause.contains(remedy), "{component}: {cause}");
    }
}

#[test]
fn a_pin_that_is_not_granted_is_named_with_its_driver() {
    let output = "[driver.gpio]\nsecret = { line = \"X\", direction = \"input\" }";
    for (rest, words) in [
        (
            "",
            "`nosy` asked for pin `secret` as input, which its entry does not grant; add it under `[driver.gpio]`",
        ),
        (
            output,
            "`nosy` asked for pin `secret` as output, which its entry grants as input only; change its `direction`",
        ),
    ] {
        let direction = if rest.is_empty() { "input" } else { "output" };
        let rest = format!("config = {{ direction = \"{direction}\" }}\n{rest}");
        let nosy = entry("nosy", &guest("probe_ungranted"), &rest);
        let good = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
        let (board, log) = log::capture(|| virtual_board(nosy + &good));
        let (state, cause) = state(&board, "nosy");
        assert_eq!(state, State::Failed);
        assert!(cause.contains("not-granted"), "{cause}");
        assert!(log.contains(words), "{log}");
        assert_running(&board, "echo");
        let line = board.sim().show().into_iter().find(|line| line.name == "X");
        assert!(line.is_none_or(|line| line.consumer.is_none()));
    }
}

#[test]
fn a_granted_pin_opens() {
    let pin = "[driver.gpio]\nsecret = { line = \"X\", direction = \"input\" }";
    let board = virtual_board(entry("granted", &guest("probe_ungranted"), pin));
    assert_running(&board, "granted");
}

fn board_with_cache(cache: &Path) -> (Board, String) {
    let text = format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("echo", &guest("probe_echo"), "provides = [\"echo\"]")
    );
    let file = BoardFile::parse(&text, "test.toml").unwrap();
    let builder = Board::builder().board(file).clock(ClockKind::Virtual);
    log::capture(|| builder.cache_directory(cache).build().unwrap())
}

#[test]
fn a_damaged_cache_entry_is_rebuilt_and_logged() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("code");
    let entries = || {
        std::fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let (board, log) = board_with_cache(&cache);
    assert_running(&board, "echo");
    assert!(!log.contains("cache"), "{log}");
    let paths: Vec<_> = entries().collect();
    let [path] = &paths[..] else {
        panic!("one component, one entry: {paths:?}")
    };
    let whole = std::fs::read(path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    for damaged in [&whole[..whole.len() / 2], &whole[..3], &[], &flipped] {
        std::fs::write(path, damaged).unwrap();
        let (board, log) = board_with_cache(&cache);
        assert_running(&board, "echo");
        assert!(
            log.contains(path.to_str().unwrap()) && log.contains("compiling anew"),
            "{log}"
        );
        assert_eq!(std::fs::read(path).unwrap(), whole);
    }
    assert_eq!(entries().count(), 1, "nothing is left beside the entry");
}

/// The error of a board that plays this capture.
fn capture_error(capture: &Path, channel: &str) -> BoardError {
    let text = format!(
        "[board]\nbackend = \"sim\"\n\n[[board.play]]\ncapture = \"{}\"\nchannel = \"{channel}\"\nline = \"IR\"\n\n{}",
        capture.display(),
        entry(
            "blink",
            &driver("blink"),
            "[driver.gpio]\nled = { line = \"L\", direction = \"output\" }"
        )
    );
    let file = BoardFile::parse(&text, "play.toml").unwrap();
    let built = Board::builder()
        .board(file)
        .clock(ClockKind::Virtual)
        .without_cache()
        .build();
    built.err().expect("the capture is bad")
}

fn assert_names_place_cause_and_remedy(error: &BoardError, capture: &Path, cause: &str) {
    let text = error.to_string();
    assert!(matches!(error, BoardError::Capture { .. }), "{text}");
    assert!(text.starts_with("play.toml:5: "), "{text}");
    assert!(text.contains(cause), "{text}");
    assert!(text.contains(';'), "no remedy: {text}");
    assert!(text.contains(capture.to_str().unwrap()), "{text}");
}

#[test]
fn a_bad_capture_stops_the_board_with_place_cause_and_remedy() {
    let missing = Path::new("/nowhere/missing.sr");
    assert_names_place_cause_and_remedy(&capture_error(missing, "IR"), missing, "No such file");
    let (_directory, text) = file("text.sr", "not a zip\n");
    assert_names_place_cause_and_remedy(&capture_error(&text, "IR"), &text, "");
}

#[test]
fn a_damaged_real_capture_is_refused() {
    let Some(whole) = data("logic/tv_matsui_0001_buttons_1234567890_hold.sr") else {
        return;
    };
    let whole = std::fs::canonicalize(whole).unwrap();
    let error = capture_error(&whole, "no such channel");
    assert_names_place_cause_and_remedy(&error, &whole, "`no such channel`");
    assert!(
        error.to_string().contains("`IR Toy IRRX`"),
        "what there is: {error}"
    );
    let bytes = std::fs::read(&whole).unwrap();
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let (_directory, path) = file("truncated.sr", &bytes[..length]);
        assert_names_place_cause_and_remedy(&capture_error(&path, "IR Toy IRRX"), &path, "");
    }
}

#[test]
fn check_misses_nothing_of_the_samples_on_their_board() {
    let board = BoardFile::read(root().join("sample-drivers/board.toml")).unwrap();
    assert!(board.drivers.len() >= 5);
    for entry in &board.drivers {
        let component = board.resolve(entry.component.get_ref());
        let found = loopgate::inspect(&component, Some(&board)).unwrap();
        assert!(found.loads && found.missing.is_empty(), "{found:?}");
    }
}

#[test]
fn check_names_each_kind_that_an_entry_leaves_empty() {
    for (name, lacks) in [
        ("blink", &["pins"][..]),
        ("button_led", &["pins", "publishes services"]),
        ("serial_echo", &["serial ports", "publishes services"]),
        ("block_cache", &["publishes services", "opens services"]),
    ] {
        let text = format!(
            "[board]\nbackend = \"sim\"\n{}",
            entry("d", &driver(name), "")
        );
        let board = BoardFile::parse(&text, "board.toml").unwrap();
        let found = loopgate::inspect(&driver(name), Some(&board)).unwrap();
        assert_eq!(found.missing.len(), lacks.len(), "{name}: {found:?}");
        for (missing, kind) in found.missing.iter().zip(lacks) {
            assert!(missing.contains(kind), "{name}: {missing}");
        }
    }
}

#[test]
fn check_tells_what_is_granted_and_has_no_use() {
    let rest = "provides = [\"d\"]\n[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }\n\
                [driver.serial]\nport = { sim = \"S\" }";
    let text = format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("d", &driver("blink"), rest)
    );
    let board = BoardFile::parse(&text, "board.toml").unwrap();
    let found = loopgate::inspect(&driver("blink"), Some(&board)).unwrap();
    assert!(found.missing.is_empty(), "{found:?}");
    assert_eq!(found.grants.len(), 3, "{found:?}");
    let unused = [
        "`d` is granted serial ports, and has no call for them",
        "`d` is granted services, and has no call for them",
    ];
    assert_eq!(found.unused, unused);
}
