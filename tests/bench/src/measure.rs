//! Two things measured alternately.

use std::time::{Duration, Instant};

/// How much is measured: the median of the rounds' ratios is what counts, each
/// of `count` this and `count` that.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) rounds: usize,
    pub(crate) count: u32,
}

/// Medians over the rounds.
pub(crate) struct Measured {
    /// The time of `this` by that of `that`.
    pub(crate) ratio: f64,
    /// What one of `count` takes of `this`.
    pub(crate) time: Duration,
}

/// Measures `this` and `that` in turn.
pub(crate) fn ratio(
    Rounds { rounds, count }: Rounds,
    mut this: impl FnMut(u32) -> anyhow::Result<()>,
    mut that: impl FnMut(u32) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    // Caches, branch predictors, and the ticker awake.
    this(count)?;
    that(count)?;
    let mut ratios = Vec::with_capacity(rounds);
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let (that_took, this_took) = (time(&mut that, count)?, time(&mut this, count)?);
        ratios.push(this_took.as_secs_f64() / that_took.as_secs_f64());
        times.push(this_took / count);
    }
    ratios.sort_by(f64::total_cmp);
    times.sort();
    Ok(Measured {
        ratio: ratios[rounds / 2],
        time: times[rounds / 2],
    })
}

fn time(run: &mut impl FnMut(u32) -> anyhow::Result<()>, count: u32) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    run(count)?;
    Ok(begun.elapsed())
}
