//! What was expected and what was seen, on one timeline.

use super::time::show;
use crate::report::{Moment, MomentKind};

/// Of what drivers do, so many moments are kept: those around the failure, or else the
/// first.
const SEEN_MAX: usize = 4_000;

/// Moments of the evidence before the failure, and after it.
const BEFORE: usize = 14;
const AFTER: usize = 6;

/// In the order of time, with what was done before what was seen of it, and that
/// before what was expected of it.
pub(super) fn sort(moments: &mut [Moment]) {
    moments.sort_by_key(|moment| {
        let kind = match moment.kind {
            MomentKind::Done => 0,
            MomentKind::Seen => 1,
            MomentKind::Met | MomentKind::Missed => 2,
        };
        (moment.at_ns, kind)
    });
}

pub(super) fn is_missed(moment: &Moment) -> bool {
    moment.kind == MomentKind::Missed
}

/// Leaves the furthest from the failure out, where there are too many, and says so.
pub(super) fn bounded(moments: Vec<Moment>) -> Vec<Moment> {
    let is_seen = |moment: &&Moment| moment.kind == MomentKind::Seen;
    let seen = moments.iter().filter(is_seen).count();
    if seen <= SEEN_MAX {
        return moments;
    }
    let failure = moments.iter().position(is_missed).unwrap_or(0);
    let before = moments[..failure].iter().filter(is_seen).count();
    let first = before.saturating_sub(SEEN_MAX / 2).min(seen - SEEN_MAX);
    let kept = first..first + SEEN_MAX;
    let mut number = 0;
    let mut bounded = Vec::new();
    for moment in moments {
        if moment.kind != MomentKind::Seen {
            bounded.push(moment);
            continue;
        }
        let text = match number {
            0 if first > 0 => Some(format!("... {first} moments are left out here")),
            _ if number == kept.end => {
                Some(format!("... {} moments are left out here", seen - kept.end))
            }
            _ if kept.contains(&number) => Some(moment.text),
            _ => None,
        };
        bounded.extend(text.map(|text| Moment { text, ..moment }));
        number += 1;
    }
    bounded
}

/// The moments around the first that was missed, a line each.
pub(super) fn around(moments: &[Moment]) -> Vec<String> {
    let Some(failure) = moments.iter().position(is_missed) else {
        return Vec::new();
    };
    let first = failure.saturating_sub(BEFORE);
    let last = moments.len().min(failure + 1 + AFTER);
    moments[first..last].iter().map(line).collect()
}

fn line(moment: &Moment) -> String {
    let kind = match moment.kind {
        MomentKind::Done => "done",
        MomentKind::Seen => "seen",
        MomentKind::Met => "met",
        MomentKind::Missed => "MISSED",
    };
    format!("{:>14}  {kind:<6}  {}", show(moment.at_ns), moment.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at_ns: u64, kind: MomentKind) -> Moment {
        let text = "x".to_owned();
        Moment { at_ns, kind, text }
    }

    #[test]
    fn what_is_near_the_failure_is_kept() {
        let mut moments: Vec<_> = (0..10_000).map(|at| moment(at, MomentKind::Seen)).collect();
        assert_eq!(bounded(moments.clone()).len(), SEEN_MAX + 1);
        moments.push(moment(9_000, MomentKind::Missed));
        sort(&mut moments);
        let kept = bounded(moments);
        assert_eq!(kept.len(), SEEN_MAX + 2);
        let times = || kept.iter().map(|moment| moment.at_ns);
        assert_eq!(
            (times().nth(1), times().next_back()),
            (Some(6_000), Some(9_999))
        );
        assert!(kept[0].text.contains("6000 moments are left out"));
        assert_eq!(around(&kept).len(), BEFORE + 1 + AFTER);
    }
}
