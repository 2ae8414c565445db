//! Two things measured alternately.

use std::time::{Duration, Instant};

/// Rounds; the median of their ratios is what counts.
const ROUNDS: usize = 41;

/// Medians over the rounds.
pub(crate) struct Measured {
    /// The time of `this` by that of `that`.
    pub(crate) ratio: f64,
    /// What one of `count` takes of `this`.
    pub(crate) time: Duration,
}

/// Measures `this` and `that` in turn, `count` of each at a time.
pub(crate) fn ratio(
    count: u32,
    mut this: impl FnMut(u32) -> anyhow::Result<()>,
    mut that: impl FnMut(u32) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    // Caches, branch predictors, and the ticker awake.
    this(count)?;
    that(count)?;
    let mut ratios = Vec::with_capacity(ROUNDS);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (that_took, this_took) = (time(&mut that, count)?, time(&mut this, count)?);
        ratios.push(this_took.as_secs_f64() / that_took.as_secs_f64());
        times.push(this_took / count);
    }
    ratios.sort_by(f64::total_cmp);
    times.sort();
    Ok(Measured {
        ratio: ratios[ROUNDS / 2],
        time: times[ROUNDS / 2],
    })
}

fn time(run: &mut impl FnMut(u32) -> anyhow::Result<()>, count: u32) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    run(count)?;
    Ok(begun.elapsed())
}
