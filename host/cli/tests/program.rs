//! The program from outside: what it prints and its exit status. Boards here
//! have lines and no drivers; drivers are for tests/integration.
#![forbid(unsafe_code)]

use rustix::pty::OpenptFlags;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

const LINES: &str = "[[board.line]]\nname = \"GPIO17\"\npull = \"up\"\n";

struct Scene {
    directory: tempfile::TempDir,
}

/// A board that runs until it is told to stop, or until the test fails.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Scene {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loopgate"));
        command
            .args(arguments)
            .env("LOOPGATE_SOCKET", self.path("socket"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env_remove("LOOPGATE_LOG");
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints, having succeeded.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Its error, having ended with `status`.
    fn fails(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {output:?}"
        );
        String::from_utf8(output.stderr).unwrap()
    }

    fn run(&self, board: &Path) -> Running {
        self.run_with(board, &[])
    }

    fn run_with(&self, board: &Path, options: &[&str]) -> Running {
        let mut command = self.command(&["run", board.to_str().unwrap()]);
        command.args(options);
        Self::started(command)
    }

    fn started(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("control socket: ") {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended early");
        }
        Running { child, out }
    }
}

impl Running {
    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it by `signal`: what it printed meanwhile, and its exit status.
    fn end(self, signal: &str) -> (String, Option<i32>) {
        self.signal(signal);
        self.rest()
    }

    /// What it prints until it has ended, and its exit status.
    fn rest(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn board(clock: &str) -> String {
    format!("[board]\nbackend = \"sim\"\nclock = \"{clock}\"\n{LINES}")
}

#[test]
fn a_board_runs_answers_and_ends_in_order() {
    let scene = Scene::new();
    let file = scene.file("board.toml", &board("real"));
    for signal in ["-TERM", "-INT"] {
        let running = scene.run(&file);
        assert!(scene.says(&["status"]).contains("real clock"));
        let status: serde_json::Value =
            serde_json::from_str(&scene.says(&["status", "--json"])).unwrap();
        assert_eq!(status["drivers"], serde_json::json!([]));
        scene.says(&["sim", "set", "GPIO17", "low"]);
        let shown = scene.says(&["sim", "show"]);
        assert!(shown.contains("GPIO17  low    outside        1"), "{shown}");
        let lines: serde_json::Value =
            serde_json::from_str(&scene.says(&["sim", "show", "--json"])).unwrap();
        assert_eq!(lines[0]["high"], false);
        let (rest, code) = running.end(signal);
        assert_eq!(code, Some(0));
        assert!(rest.contains("stopping"), "{rest}");
        assert!(!scene.path("socket").exists());
    }
}

#[test]
fn a_second_host_on_a_board_is_refused_whatever_its_socket() {
    let scene = Scene::new();
    let file = scene.file("board.toml", &board("real"));
    let link = scene.path("link.toml");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let running = scene.run(&file);
    let other = scene.path("other");
    let second = ["--socket", other.to_str().unwrap()];
    for name in [&file, &link] {
        let error = scene.fails(1, &[&["run", name.to_str().unwrap()], &second[..]].concat());
        let process = format!("another loopgate (process {})", running.child.id());
        assert!(
            error.contains(&process) && error.contains("a board file of its own"),
            "{error}"
        );
    }
    assert_eq!(running.end("-TERM").1, Some(0));
    let socket = scene.run_with(&file, &second);
    assert_eq!(socket.end("-TERM").1, Some(0));
}

#[test]
fn a_stranger_is_turned_away_even_where_the_socket_is_open_to_all() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can be somebody else");
        return;
    }
    let scene = Scene::new();
    let running = scene.run(&scene.file("board.toml", &board("real")));
    for (path, mode) in [(".", 0o755), ("socket", 0o666)] {
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(scene.path(path), open).unwrap();
    }
    // Not through the program: it may lie where nobody can go.
    let client = Command::new("python3")
        .args([
            "-c",
            "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
             s.sendall(b'{\"request\": \"status\"}\\n')\nprint(len(s.recv(100)))",
        ])
        .arg(scene.path("socket"))
        .uid(NOBODY)
        .output();
    let Ok(client) = client else {
        eprintln!("SKIPPED: there is no python3");
        return;
    };
    let answer = String::from_utf8(client.stdout).unwrap();
    let refused = String::from_utf8(client.stderr).unwrap();
    assert!(
        answer == "0\n" || refused.contains("BrokenPipe") || refused.contains("ConnectionReset"),
        "{answer}{refused}"
    );
    assert!(scene.says(&["status"]).contains("real clock"));
    drop(running);
}

/// What a service manager is told until it has heard `last`.
fn told(manager: &UnixDatagram, last: &str) -> String {
    let mut told = String::new();
    while !told.contains(last) {
        let mut message = [0; 1024];
        match manager.recv(&mut message) {
            Ok(length) => told += str::from_utf8(&message[..length]).unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
        }
    }
    told
}

#[test]
fn a_service_manager_is_told_how_the_board_fares() {
    let scene = Scene::new();
    let abstract_name = format!("loopgate-test-{}", std::process::id());
    let name = SocketAddr::from_abstract_name(&abstract_name).unwrap();
    let path = scene.path("notify");
    for (manager, address, clock) in [
        (
            UnixDatagram::bind(&path),
            path.to_str().unwrap().to_owned(),
            "real",
        ),
        (
            UnixDatagram::bind_addr(&name),
            format!("@{abstract_name}"),
            "virtual",
        ),
    ] {
        let manager = manager.unwrap();
        manager
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        let file = scene.file("board.toml", &board(clock));
        let mut command = scene.command(&["run", file.to_str().unwrap()]);
        command
            .env("NOTIFY_SOCKET", address)
            .env("WATCHDOG_USEC", "40000");
        let running = Scene::started(command);
        let begun = told(&manager, "READY=1");
        assert!(!begun.contains("STOPPING"), "{begun}");
        // More than once, and for as long as it runs.
        for _ in 0..3 {
            told(&manager, "WATCHDOG=1");
        }
        running.signal("-HUP");
        let reread = told(&manager, "READY=1\nSTATUS=0 of 0 drivers run");
        assert!(reread.contains("RELOADING=1\nMONOTONIC_USEC="), "{reread}");
        running.signal("-TERM");
        told(&manager, "STOPPING=1");
        // Nobody reads any more, which does not hold the board up.
        assert_eq!(running.rest().1, Some(0));
        std::fs::remove_file(&file).unwrap();
    }
    let file = scene.file("board.toml", &board("real"));
    let mut command = scene.command(&["run", file.to_str().unwrap()]);
    let output = command.env("NOTIFY_SOCKET", "/none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("`NOTIFY_SOCKET` /none"), "{error}");
}

#[test]
fn a_board_whose_terminal_is_gone_ends_in_order() {
    let scene = Scene::new();
    let file = scene.file("board.toml", &board("real"));
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags).unwrap();
    rustix::pty::unlockpt(&ours).unwrap();
    let name = rustix::pty::ptsname(&ours, Vec::new()).unwrap();
    let theirs = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NOCTTY.bits().cast_signed())
        .open(name.to_str().unwrap())
        .unwrap();
    let mut command = scene.command(&["run", file.to_str().unwrap()]);
    command.stdin(theirs);
    let running = Scene::started(command);
    drop(ours);
    let (rest, code) = running.end("-HUP");
    assert!(
        code == Some(0) && rest.contains("stopping"),
        "{code:?} {rest}"
    );
}

#[test]
fn virtual_time_does_not_keep_a_board_from_answering_and_ending() {
    let scene = Scene::new();
    let running = scene.run(&scene.file("board.toml", &board("virtual")));
    assert!(scene.says(&["status"]).contains("virtual clock"));
    assert_eq!(running.end("-TERM").1, Some(0));
}

#[test]
fn the_lines_of_a_board_are_recorded_until_it_ends() {
    let scene = Scene::new();
    let file = scene.file("board.toml", &board("real"));
    let vcd = scene.path("lines.vcd");
    let vcd = vcd.to_str().unwrap();
    let options = [
        "--vcd",
        vcd,
        "--vcd-line",
        "GPIO17",
        "--vcd-resolution",
        "10 us",
    ];
    let running = scene.run_with(&file, &options);
    scene.says(&["sim", "set", "GPIO17", "low"]);
    assert_eq!(running.end("-TERM").1, Some(0));
    let text = std::fs::read_to_string(vcd).unwrap();
    for part in [
        "$timescale 10 us $end",
        " GPIO17 $end",
        "#0\n$dumpvars\n1!\n$end\n",
        "\n0!\n#",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let board = file.to_str().unwrap();
    for (path, line) in [("/none/lines.vcd", "GPIO17"), (vcd, "GPIO99")] {
        let error = scene.fails(1, &["run", board, "--vcd", path, "--vcd-line", line]);
        assert!(error.contains(path) && error.contains(": "), "{error}");
    }
    for options in [["--vcd-line", "GPIO17"], ["--vcd-resolution", "3 us"]] {
        scene.fails(2, &[&["run", board], &options[..]].concat());
    }
}

#[test]
fn what_a_running_board_refuses_is_status_1_with_thing_and_remedy() {
    let scene = Scene::new();
    let file = scene.file("board.toml", &board("real"));
    let running = scene.run(&file);
    for (arguments, parts) in [
        (&["call", "radio", "on"][..], ["`radio`", "loopgate status"]),
        (&["status", "radio"], ["`radio`", "nor any other"]),
        (&["sim", "set", "GPIO99", "low"], ["`GPIO99`", "`GPIO17`"]),
        (
            &["call", "a", "b", "--data", "@/none"],
            ["`/none`", "--data"],
        ),
        (
            &["run", file.to_str().unwrap()],
            ["another loopgate", "--socket"],
        ),
    ] {
        let error = scene.fails(1, arguments);
        for part in parts {
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
        assert!(error.starts_with("error: "), "{error}");
    }
    drop(running);
}

#[test]
fn a_killed_board_leaves_nothing_that_its_successor_minds() {
    let scene = Scene::new();
    let file = scene.file("board.toml", &board("real"));
    let _ = scene.run(&file).end("-KILL");
    assert!(scene.path("socket").exists());
    let error = scene.fails(1, &["status"]);
    assert!(error.contains("loopgate run BOARD"), "{error}");
    assert_eq!(scene.run(&file).end("-TERM").1, Some(0));
}

#[test]
fn files_that_are_wrong_are_status_1() {
    let scene = Scene::new();
    let broken = scene.file("broken.toml", "[board]\nbackend = \"sim\"\ncolour = 1\n");
    let error = scene.fails(1, &["run", broken.to_str().unwrap()]);
    assert!(
        error.contains("broken.toml:3") && error.contains("`colour`"),
        "{error}"
    );
    let error = scene.fails(1, &["run", "/none.toml"]);
    assert!(error.contains("`/none.toml`"), "{error}");
    let text = scene.file("text.wasm", "hello");
    let error = scene.fails(1, &["check", text.to_str().unwrap()]);
    assert!(
        error.contains("not WebAssembly") && error.contains("wasm32-wasip2"),
        "{error}"
    );
    let core = scene.path("core.wasm");
    std::fs::write(&core, b"\0asm\x01\0\0\0").unwrap();
    let output = scene.output(&["check", core.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["loads"], false);
    assert!(
        report["cause"].as_str().unwrap().contains("core module"),
        "{report}"
    );
}

#[cfg(feature = "compiler")]
#[test]
fn what_conform_cannot_use_is_status_1_with_thing_and_remedy() {
    let scene = Scene::new();
    let file = |name: &str, text: &str| scene.file(name, text).to_str().unwrap().to_owned();
    let core = file("core.wasm", "\0asm\u{1}\0\0\0");
    let board = file("board.toml", &board("virtual"));
    let set = "set = { line = \"GPIO9\", level = \"low\" }";
    let misspelt = file("misspelt.toml", "titel = \"x\"\n");
    let stranger = format!("title = \"x\"\n[[step]]\nat = \"1 s\"\n{set}\n");
    let stranger = file("stranger.toml", &stranger);
    let folder = scene.directory.path().to_str().unwrap();
    let nowhere = format!("{folder}/none/report.xml");
    let empty = scene.path("empty");
    std::fs::create_dir(&empty).unwrap();
    for (arguments, parts) in [
        (&["/none.wasm"][..], ["`/none.wasm`", "check the path"]),
        (&["/dev/zero"], ["`/dev/zero`", "no regular file"]),
        (&[&core, "--board", &board], ["it has none", "`--driver`"]),
        (
            &[&core, "--board", &board, "--driver", "lamp"],
            ["board.toml", "no driver `lamp`"],
        ),
        (
            &[&core, "--scenario", &misspelt],
            ["misspelt.toml:1", "`title`"],
        ),
        (
            &[&core, "--scenario", &stranger],
            ["stranger.toml", "`GPIO9`"],
        ),
        (
            &[&core, "--scenario", empty.to_str().unwrap()],
            ["no scenario in it", "`title`"],
        ),
        (
            &[&core, "--junit", &nowhere],
            ["none/report.xml", "a folder that is there"],
        ),
    ] {
        let error = scene.fails(1, &[&["conform"], arguments].concat());
        for part in parts {
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
        assert!(error.starts_with("error: "), "{error}");
    }
}

#[cfg(feature = "compiler")]
#[test]
fn a_driver_that_does_not_start_does_not_conform() {
    let scene = Scene::new();
    let core = scene.file("core.wasm", "\0asm\u{1}\0\0\0");
    let core = core.to_str().unwrap();
    let (xml, html) = (scene.path("report.xml"), scene.path("report.html"));
    let output = scene
        .command(&["conform", core, "--json", "--junit"])
        .arg(&xml)
        .arg("--html")
        .arg(&html)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["component"], core);
    let outcome = &report["checks"][0]["outcome"];
    assert_eq!(outcome["result"], "failed");
    let message = outcome["message"].as_str().unwrap();
    assert!(message.contains("core module"), "{message}");
    for report in [xml, html] {
        let report = std::fs::read_to_string(report).unwrap();
        assert!(report.contains("core module"), "{report}");
    }
    let output = scene.output(&["conform", core]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("core does not conform: "), "{said}");
    // Neither colours nor progress but for a terminal.
    assert!(!said.contains('\x1b') && output.stderr.is_empty(), "{said}");
}

#[test]
fn what_is_no_recording_is_status_1() {
    let scene = Scene::new();
    let text = scene.file("text.trace", "hello");
    for (recording, part) in [
        (text.to_str().unwrap(), "loopgate run BOARD --record FILE"),
        ("/none.trace", "No such file"),
        ("/dev/zero", "no regular file"),
    ] {
        let error = scene.fails(1, &["replay", recording, "driver.wasm"]);
        let names = error.contains(&format!("`{recording}`"));
        assert!(names && error.contains(part), "{error}");
    }
    let board = scene.file("board.toml", &board("virtual"));
    let nowhere = scene.path("none/field.trace");
    let record = ["--record", nowhere.to_str().unwrap()];
    let error = scene.fails(
        1,
        &[&["run", board.to_str().unwrap()], &record[..]].concat(),
    );
    assert!(
        error.contains("none/field.trace") && error.contains("a folder that is there"),
        "{error}"
    );
}

/// Of this machine, whatever it has.
#[test]
fn the_doctor_says_what_is_here_in_one_shape() {
    let scene = Scene::new();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&scene.says(arguments)).unwrap()
    };
    let board = scene.file("board.toml", &board("real"));
    let board = board.to_str().unwrap();
    let said = json(&["doctor", board, "--json"]);
    for (part, names) in [
        (
            "/host",
            &["version", "compiler", "sandbox", "cache", "control"][..],
        ),
        (
            "/machine",
            &["system", "user", "chips", "ports", "i2c", "spi"],
        ),
        (
            "/machine/system",
            &["kernel", "architecture", "memory", "gpio", "inotify"],
        ),
        ("/machine/user", &["name", "groups", "coming"]),
        ("/board", &["path", "backend", "grants"]),
    ] {
        let part = said.pointer(part).unwrap();
        for name in names {
            assert!(part.get(name).is_some(), "{name}: {part}");
        }
    }
    assert!(said["advice"].is_array());
    assert_eq!(said["host"]["compiler"], cfg!(feature = "compiler"));
    assert!(json(&["doctor", "--json"]).get("board").is_none());
    let text = scene.says(&["doctor", board]);
    for words in [
        "kernel",
        "GPIO\n",
        "serial ports\n",
        "all that the board asks for is here",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn the_doctor_finds_what_a_board_asks_for_and_is_not_here() {
    let scene = Scene::new();
    // What a component begins with; no more is looked at.
    scene.file("d.wasm", "\0asm\u{d}\0\u{1}\0");
    let board = scene.file(
        "board.toml",
        "[board]\nbackend = \"linux\"\n[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n\
         [driver.serial]\ntty = { device = \"/dev/ttyNOWHERE7\" }\n\
         [driver.gpio]\nled = { line = \"nobody's line\", direction = \"output\" }\n",
    );
    let output = scene.output(&["doctor", board.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for words in [
        "MISSING  d: pin `led`",
        "MISSING  d: port `tty`",
        "2 of the things that the board asks for",
    ] {
        assert!(said.contains(words), "{said}");
    }
    scene.fails(1, &["doctor", "nowhere.toml"]);
    scene.fails(2, &["doctor", "one.toml", "two.toml"]);
}

#[test]
fn a_project_goes_into_an_empty_folder_only() {
    let scene = Scene::new();
    let folder = scene.path("lamp");
    let new = ["new", "lamp", "--path", folder.to_str().unwrap()];
    let said = scene.says(&new);
    assert!(said.contains("cargo build --release"), "{said}");
    let error = scene.fails(1, &new);
    assert!(
        error.contains("not empty") && error.contains("--path"),
        "{error}"
    );
}

#[test]
fn wrong_use_is_status_2() {
    let scene = Scene::new();
    for arguments in [
        &[][..],
        &["reboot"],
        &["run"],
        &["sim", "set", "GPIO17", "sideways"],
        &["new"],
        &["new", "my lamp"],
        &["call", "a", "b", "ten"],
        &["call", "a", "b", "--timeout", "2 h"],
        &["replay"],
        &["replay", "field.trace"],
    ] {
        scene.fails(2, arguments);
    }
    #[cfg(feature = "compiler")]
    for (arguments, part) in [
        (&[][..], "COMPONENT"),
        (&["d.wasm", "--shard", "3/2"], "`2/4`"),
        (&["d.wasm", "--shard", "0/2"], "`2/4`"),
        (&["d.wasm", "--check", "nothing"], "starts-again"),
        (&["d.wasm", "--driver", "d"], "--board"),
        (&["d.wasm", "--schedules", "few"], "--schedules"),
    ] {
        let error = scene.fails(2, &[&["conform"], arguments].concat());
        assert!(error.contains(part), "{error}");
    }
    assert!(scene.says(&["--help"]).contains("Exit status: 0 done"));
}
