//! A run of the kit.

use crate::check::{CHECKS, Check, Found, STARTS};
use crate::error::Error;
use crate::ground::Ground;
use crate::report::{Report, SCHEMA};
use crate::schedule;
use crate::subject::Subject;
use crate::world::Made;
use loopgate::Random;
use loopgate::control::to_hex;
use sha2::Digest as _;

/// Schedules that are drawn unless it is said how many.
const SCHEDULES: u64 = 500;

/// A board loads no larger component.
const COMPONENT_MAX: u64 = 16 << 20;

/// Of those, so many are in the trace that reports name.
const TRACED: u64 = 16;

/// Finds out whether a driver keeps the contract.
///
/// ```no_run
/// use loopgate_conform::{Kit, Subject};
///
/// # fn main() -> Result<(), loopgate_conform::Error> {
/// let subject = Subject::new("target/drivers/blink.wasm".as_ref(), None, None)?;
/// let report = Kit::new(subject).seed(7).run()?;
/// assert!(report.conforms());
/// # Ok(())
/// # }
/// ```
pub struct Kit {
    subject: Subject,
    seed: u64,
    schedules: u64,
    shard: (u64, u64),
    only: Vec<String>,
    progress: Box<dyn Fn(&str)>,
}

impl Kit {
    /// For this driver, with the seed 0.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            seed: 0,
            schedules: SCHEDULES,
            shard: (1, 1),
            only: Vec::new(),
            progress: Box::new(|_| {}),
        }
    }

    /// Draws schedules from this.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Draws so many of them.
    #[must_use]
    pub fn schedules(mut self, schedules: u64) -> Self {
        self.schedules = schedules;
        self
    }

    /// Runs the `index`th of `count` parts of the checks, the first is 1: all parts
    /// together are the whole.
    #[must_use]
    pub fn shard(mut self, index: u64, count: u64) -> Self {
        self.shard = (index, count.max(1));
        self
    }

    /// Runs the checks with these ids only; all of them where there are none.
    #[must_use]
    pub fn only(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.only = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Is told what is about to be done.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(&str) + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Every check's id, in their order.
    pub fn checks() -> impl Iterator<Item = &'static str> {
        std::iter::once(STARTS.id).chain(CHECKS.iter().map(|check| check.id))
    }

    /// Runs them, on the calling thread.
    ///
    /// # Errors
    /// What keeps it from finding out. That the driver fails stands in the report.
    pub fn run(&self) -> Result<Report, Error> {
        self.is_used_well()?;
        let (component, sha256) = self.digest()?;
        let mut report = Report {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            driver: self.subject.driver().to_owned(),
            component,
            sha256,
            seed: self.seed,
            trace: String::new(),
            checks: Vec::new(),
            scenarios: Vec::new(),
        };
        (self.progress)(STARTS.id);
        // What happens to the driver is the checks' to say.
        let mut alone = self.subject.clone();
        let board = &mut alone.board_mut().board;
        board.stimuli.clear();
        board.plays.clear();
        let ground = match Ground::new(&alone, self.seed, self.schedules)? {
            Ok(ground) => ground,
            Err(cause) => {
                let found = Found::failed_over(cause, 1, Vec::new());
                report.checks.push(STARTS.result(found));
                let skipped = || Found::skipped("it does not start");
                let chosen = CHECKS.into_iter().filter(|check| self.has(check));
                report
                    .checks
                    .extend(chosen.map(|check| check.result(skipped())));
                return Ok(report);
            }
        };
        report.checks.push(STARTS.result(Found::passed(1)));
        report.trace = trace(&ground)?;
        for check in CHECKS.into_iter().filter(|check| self.has(check)) {
            (self.progress)(check.id);
            report.checks.push(check.result((check.run)(&ground)?));
        }
        Ok(report)
    }

    /// Whether there are the checks and the part that are asked for.
    fn is_used_well(&self) -> Result<(), Error> {
        let invalid = |message| {
            let place = "the kit".to_owned();
            Err(Error::Invalid { place, message })
        };
        let (index, count) = self.shard;
        if !(1..=count).contains(&index) {
            return invalid(format!(
                "there is no part {index} of {count}; the first is 1"
            ));
        }
        let mut only = self.only.iter();
        match only.find(|id| !Self::checks().any(|known| known == id.as_str())) {
            Some(unknown) => invalid(format!(
                "there is no check `{unknown}`; `Kit::checks` has them all"
            )),
            None => Ok(()),
        }
    }

    /// Whether it is this part's.
    fn has(&self, check: &Check) -> bool {
        let place = CHECKS.iter().position(|known| known.id == check.id);
        let (index, count) = self.shard;
        let is_ours = place.is_some_and(|place| place as u64 % count == (index - 1) % count);
        is_ours && (self.only.is_empty() || self.only.iter().any(|id| id == check.id))
    }

    fn digest(&self) -> Result<(String, String), Error> {
        let path = self.subject.component();
        let bytes = crate::file::read(path, COMPONENT_MAX)?;
        let digest = to_hex(&sha2::Sha256::digest(&bytes));
        Ok((self.subject.given().display().to_string(), digest))
    }
}

/// The SHA-256 of all that crosses the boundary in the workout, and in some schedules.
fn trace(ground: &Ground<'_>) -> Result<String, Error> {
    let mut hash = sha2::Sha256::new();
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    world.end()?.hash(&mut hash);
    for number in 0..TRACED {
        let seed = ground.seed.wrapping_add(number);
        let actions = schedule::draw(&ground.profile, &mut Random::new(seed));
        let mut world = ground.world_with(Made {
            schedule: Some(seed),
            ..Made::default()
        })?;
        world.play(&actions, 0);
        world.end()?.hash(&mut hash);
    }
    Ok(to_hex(&hash.finalize()))
}
