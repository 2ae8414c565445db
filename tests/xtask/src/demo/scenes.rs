//! What is shown. Each scene fails where it does not see what it tells.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::receiver;
use super::stage::{Stage, say_command};

pub(super) struct Scene {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) play: fn(&mut Stage, &Path) -> Result<()>,
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        title: "A lamp blinks",
        about: "The driver `blink` has one timer and one output, line GPIO22. The rest of the board does \
                not exist for it.",
        play: |stage, _| blinks(stage, 6).map(drop),
    },
    Scene {
        title: "A button is pressed",
        about: "The driver `button-led` waits until the contact has come to rest, counts, and switches its lamp.",
        play: |stage, _| pressed(stage),
    },
    Scene {
        title: "A GPS receiver tells where it is",
        about: "The driver `gps` reads a serial port, here a pseudo-terminal that any program can write into.",
        play: located,
    },
    Scene {
        title: "A remote control is decoded",
        about: "A recording, remote.vcd, is played into line GPIO23. The driver `remote` makes keys of the times \
                of its edges.",
        play: |stage, _| keys(stage),
    },
    Scene {
        title: "A driver is replaced while the others run",
        about: "A build of `blink` with a shorter period takes the place of the old file. The host sees that and \
                loads it: generation 2 of `blink`.",
        play: |stage, _| replaced(stage),
    },
    Scene {
        title: "A driver fails, and harms nobody",
        about: "The driver `faulty` panics when it is asked anything.",
        play: |stage, _| contained(stage),
    },
];

/// The time between two changes of the lamp of `blink`.
fn blinks(stage: &mut Stage, changes: u32) -> Result<Duration> {
    stage.types(&["sim", "show"])?;
    print!("GPIO22:");
    let (mut lamp, mut first) = (line(stage, "GPIO22")?, None);
    for _ in 0..changes {
        lamp = stage.until("the lamp to change", |stage| {
            let now = line(stage, "GPIO22")?;
            Ok((now.edges != lamp.edges).then_some(now))
        })?;
        first.get_or_insert((Instant::now(), lamp.edges));
        print!(" {}", lamp.shown());
        std::io::stdout().flush()?;
    }
    let (begun, edges) = first.context("the lamp has changed")?;
    // Not those that were seen: a busy machine may look too late.
    let changes = u32::try_from(lamp.edges.saturating_sub(edges)).unwrap_or(u32::MAX);
    let period = begun.elapsed() / changes.max(1);
    println!(", a change every {:.1} s", period.as_secs_f64());
    Ok(period)
}

fn pressed(stage: &mut Stage) -> Result<()> {
    let lamp = line(stage, "GPIO27")?;
    stage.types(&["call", "button-led", "presses"])?;
    stage.types(&["sim", "set", "GPIO17", "low"])?;
    stage.until("the press to be counted", |stage| {
        let presses = stage.quietly(&["call", "button-led", "presses"])?;
        Ok((presses.trim() == "1").then_some(()))
    })?;
    stage.types(&["sim", "set", "GPIO17", "high"])?;
    stage.types(&["call", "button-led", "presses"])?;
    let now = line(stage, "GPIO27")?;
    if now.high == lamp.high {
        bail!("the press has not switched GPIO27");
    }
    println!("GPIO27: {}", now.shown());
    Ok(())
}

fn located(stage: &mut Stage, root: &Path) -> Result<()> {
    let (sentences, origin) = receiver::sentences(root);
    println!("The sentences are {origin}.");
    let mut before = position(stage)?;
    for sentence in sentences {
        say_command(&format!("echo '{sentence}' > receiver"));
        let mut receiver = fs::OpenOptions::new()
            .write(true)
            .open(stage.path("receiver"))
            .context("cannot open the pseudo-terminal `receiver`")?;
        receiver.write_all(format!("{sentence}\n").as_bytes())?;
        before = stage.until("the position", |stage| {
            let now = position(stage)?;
            let news = now["lat"].is_number() && now["time"] != before["time"];
            Ok(news.then_some(now))
        })?;
        stage.types(&["call", "gps", "position"])?;
    }
    Ok(())
}

fn keys(stage: &mut Stage) -> Result<()> {
    stage.until("three keys", |stage| {
        let keys = stage.quietly(&["call", "ir", "keys"])?;
        Ok((keys.lines().count() == 3).then_some(()))
    })?;
    stage.types(&["call", "ir", "keys"])?;
    Ok(())
}

fn replaced(stage: &mut Stage) -> Result<()> {
    say_command("cp faster/blink.wasm drivers/blink.wasm");
    fs::copy(
        stage.path("faster/blink.wasm"),
        stage.path("drivers/blink.wasm"),
    )
    .context("cannot copy the faster build")?;
    let drivers = stage.until("the host to replace `blink`", |stage| {
        let drivers = stage.drivers()?;
        let new =
            |driver: &Value| driver["name"] == "blink" && driver["generation"].as_u64() > Some(1);
        let runs = |driver: &Value| new(driver) && driver["state"] == "running";
        Ok(drivers.iter().any(runs).then_some(drivers))
    })?;
    for driver in &drivers {
        if driver["name"] != "blink" && driver["generation"] != 1 {
            bail!("`{}` was replaced too", text(driver, "name"));
        }
    }
    stage.types(&["status"])?;
    if blinks(stage, 12)? > Duration::from_millis(300) {
        bail!("the faster build does not blink faster");
    }
    stage.types(&["call", "button-led", "presses"])?;
    stage.types(&["logs", "blink"])?;
    Ok(())
}

fn contained(stage: &mut Stage) -> Result<()> {
    stage.types_in_vain(&["call", "faulty", "misbehave"])?;
    stage.types(&["status"])?;
    for driver in stage.drivers()? {
        let name = text(&driver, "name");
        let expected = if name == "faulty" {
            "failed"
        } else {
            "running"
        };
        if driver["state"] != expected {
            bail!("`{name}` is {}, not {expected}", text(&driver, "state"));
        }
    }
    println!();
    stage.types(&["start", "faulty"])?;
    Ok(())
}

/// What `loopgate sim show` says of a line.
struct Line {
    high: bool,
    edges: u64,
}

impl Line {
    fn shown(&self) -> &'static str {
        if self.high { "on" } else { "off" }
    }
}

fn line(stage: &Stage, name: &str) -> Result<Line> {
    let lines = stage.json(&["sim", "show", "--json"])?;
    let line = lines.as_array().into_iter().flatten();
    let line = line.filter(|line| line["name"] == name).find_map(|line| {
        Some(Line {
            high: line["high"].as_bool()?,
            edges: line["edges"].as_u64()?,
        })
    });
    line.with_context(|| format!("the board shows no line `{name}`"))
}

fn position(stage: &Stage) -> Result<Value> {
    let text = stage.quietly(&["call", "gps", "position"])?;
    serde_json::from_str(&text).with_context(|| format!("`{text}` is no position"))
}

fn text<'a>(driver: &'a Value, key: &str) -> &'a str {
    driver[key].as_str().unwrap_or_default()
}
