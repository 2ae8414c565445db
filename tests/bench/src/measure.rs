//! Two things measured alternately.

use std::time::{Duration, Instant};

/// Rounds; the median of their ratios is what counts.
const ROUNDS: usize = 41;

/// The median ratio of `this` to `that`, and the median time of `this` for
/// one of `count`.
pub(crate) fn ratio(
    count: u32,
    mut this: impl FnMut(u32) -> anyhow::Result<()>,
    mut that: impl FnMut(u32) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, Duration)> {
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
    Ok((ratios[ROUNDS / 2], times[ROUNDS / 2]))
}

fn time(run: &mut impl FnMut(u32) -> anyhow::Result<()>, count: u32) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    run(count)?;
    Ok(begun.elapsed())
}
