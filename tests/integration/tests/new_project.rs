//! What `loopgate new` makes, built and run as its README says.

use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile};
use loopgate_integration::{ask, assert_running, cache, program, root, target};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What is there of an earlier run is gone, but for what it compiled.
fn make(name: &str) -> PathBuf {
    let folder = target().join("new-project");
    let project = folder.join(name);
    std::fs::create_dir_all(&project).unwrap();
    std::fs::remove_dir_all(&project).unwrap();
    let mut new = program::command(&folder);
    let made = new.args(["new", name, "--path"]).arg(&project);
    assert!(made.output().unwrap().status.success());
    project
}

/// Builds it without a network, with the versions that the workspace has.
fn build(project: &Path) {
    let output = project.with_file_name("output");
    std::fs::create_dir_all(&output).unwrap();
    std::os::unix::fs::symlink(output, project.join("target")).unwrap();
    std::fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let built = Command::new(cargo)
        .args(["build", "--release", "--offline"])
        .current_dir(project)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

/// As its workflow does.
fn conform(project: &Path) {
    for part in ["1/2", "2/2"] {
        let component = "target/wasm32-wasip2/release/my_lamp.wasm";
        let output = program::command(project)
            .args(["conform", component, "--scenario", "conform"])
            .args(["--shard", part, "--junit", "report.xml", "--html"])
            .arg("report.html")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("my-lamp conforms: "), "{said}");
        assert_eq!(said.contains("1 scenario passed"), part == "1/2", "{said}");
        for (report, begin) in [("report.xml", "<?xml"), ("report.html", "<!")] {
            let report = std::fs::read_to_string(project.join(report)).unwrap();
            assert!(report.starts_with(begin), "{report}");
        }
    }
}

fn run(project: &Path) -> Board {
    let file = BoardFile::read(project.join("board.toml")).unwrap_or_else(|e| panic!("{e}"));
    Board::builder()
        .board(file)
        .clock(ClockKind::Virtual)
        .cache_directory(cache().join("code"))
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn edges(board: &Board, line: &str) -> u64 {
    let lines = board.sim().show();
    let line = lines.iter().find(|shown| shown.name == line);
    line.expect("the board has the line").edges
}

#[test]
fn a_new_project_builds_conforms_and_runs_on_its_board() {
    let project = make("my-lamp");
    build(&project);
    conform(&project);
    let board = run(&project);
    assert_running(&board, "my-lamp");
    board.run_for(Duration::from_secs(10));
    assert_eq!(edges(&board, "GPIO22"), 20);
    for press in 1..=3 {
        for high in [false, true] {
            board.sim().set("GPIO17", high).unwrap();
            board.run_for(Duration::from_millis(100));
        }
        assert_eq!(ask(&board, "my-lamp", "presses"), press);
    }
}
