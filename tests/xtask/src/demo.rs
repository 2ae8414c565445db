//! `demo`: what Loopgate does, for somebody who has never seen it.
//!
//! The commands are those that a person would type; the board is in a
//! temporary folder, with a control socket of its own.

mod receiver;
mod remote;
mod scenes;
mod stage;

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{Outcome, build, guests, no_arguments};
use scenes::SCENES;
use stage::{Stage, say_title};

const INTRODUCTION: &str = "Loopgate runs device drivers as sandboxed WebAssembly components. Here \
    five of them run\non a simulated board. What stands behind `$` is what you could type.";

const NEXT: &str = "  export PATH=\"$PWD/target/release:$PATH\"
  loopgate run sample-drivers/board.toml       a board to play with; README.md says what to type
  loopgate new lamp                            a driver of your own, which runs at once
  cargo xtask test                             everything that is tested";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    no_arguments(arguments)?;
    if build::run(workspace, &[])? == Outcome::Failed {
        return Ok(Outcome::Failed);
    }
    let Some(faster) = guests::with_feature(workspace, "driver-blink", "fast")? else {
        return Ok(Outcome::Failed);
    };
    let began = Instant::now();
    let mut stage = Stage::set(workspace, &faster)?;
    println!("\n{INTRODUCTION}\n");
    stage::say_command(&format!("cd {}", stage.folder().display()));
    stage::say_command("export LOOPGATE_SOCKET=$PWD/socket");
    stage.start()?;
    for (number, scene) in SCENES.iter().enumerate() {
        say_title(&format!("{}. {}", number + 1, scene.title));
        println!("{}", scene.about);
        (scene.play)(&mut stage, &workspace.root)
            .with_context(|| format!("the scene \"{}\"", scene.title))?;
    }
    say_title("That was all");
    println!(
        "It took {:.0} s. Try next:\n\n{NEXT}",
        began.elapsed().as_secs_f64()
    );
    Ok(Outcome::Passed)
}
