//! `[driver.restart]`: what becomes of a driver that has failed.

use crate::units::{Span, show_span};
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::time::Duration;

/// `[driver.restart]` of a board file: what is absent keeps its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RestartEntry {
    /// How often the host starts the driver again after it has failed, before it
    /// is `quarantined`; 0 leaves it failed.
    budget: Option<Budget>,
    /// How long it waits before the first start, up to 1 h. Twice as long before
    /// each further one, but at most 10 s, where this is no longer itself.
    backoff: Option<Span>,
    /// How long the driver has to run until the budget is whole again, and the
    /// wait as short as before: 1 ms to 24 h.
    healthy: Option<Span>,
}

/// How a driver that has failed is started again, as effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How often.
    pub budget: Budget,
    /// The first wait.
    pub backoff: Duration,
    /// What it has to run for until the budget is whole again.
    pub healthy: Duration,
}

/// How often a driver is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// At most so many times.
    Times(u32),
    /// As often as it fails.
    Unlimited,
}

/// Waits do not grow beyond this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Default for Restart {
    fn default() -> Self {
        Self {
            budget: Budget::Times(5),
            backoff: Duration::from_millis(100),
            healthy: Duration::from_mins(1),
        }
    }
}

impl Restart {
    /// What is waited before the next start, after so many that did not last.
    pub(crate) fn wait(&self, before: u32) -> Duration {
        let longest = self.backoff.max(LONGEST_WAIT);
        let factor = 2_u32.saturating_pow(before);
        self.backoff.saturating_mul(factor).min(longest)
    }
}

impl RestartEntry {
    /// The effective values, or which entry is out of range.
    pub fn effective(&self) -> Result<Restart, String> {
        let default = Restart::default();
        let most = Duration::from_hours(1);
        let day = Duration::from_hours(24);
        Ok(Restart {
            budget: self.budget.unwrap_or(default.budget),
            backoff: within(
                "backoff",
                self.backoff,
                default.backoff,
                (Duration::ZERO, most),
            )?,
            healthy: within(
                "healthy",
                self.healthy,
                default.healthy,
                (Duration::from_millis(1), day),
            )?,
        })
    }
}

fn within(
    key: &str,
    value: Option<Span>,
    default: Duration,
    (least, most): (Duration, Duration),
) -> Result<Duration, String> {
    let span = value.map_or(default, |span| span.0);
    if (least..=most).contains(&span) {
        return Ok(span);
    }
    Err(format!(
        "`{key}` of `restart` is {}; it can be {} to {}",
        show_span(span),
        show_span(least),
        show_span(most)
    ))
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(BudgetVisitor)
    }
}

struct BudgetVisitor;

impl de::Visitor<'_> for BudgetVisitor {
    type Value = Budget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("how often to start it again, for example 5, or \"unlimited\"")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Budget, E> {
        let times = u32::try_from(number)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
        Ok(Budget::Times(times))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Budget, E> {
        match word {
            "unlimited" => Ok(Budget::Unlimited),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BoardFile;
    use super::*;

    fn parse(rest: &str) -> Result<Restart, String> {
        let text = format!(
            "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n{rest}\n"
        );
        let file = BoardFile::parse(&text, "board.toml").map_err(|error| error.to_string())?;
        Ok(file.drivers[0].restart())
    }

    #[test]
    fn what_is_absent_has_its_default() {
        assert_eq!(parse(""), Ok(Restart::default()));
        let some = parse("[driver.restart]\nbudget = \"unlimited\"\nbackoff = \"0 ms\"").unwrap();
        assert_eq!(some.budget, Budget::Unlimited);
        assert_eq!(some.backoff, Duration::ZERO);
        assert_eq!(some.healthy, Restart::default().healthy);
    }

    #[test]
    fn a_mistake_names_line_key_and_range() {
        for (rest, words) in [
            ("budget = -1", "how often"),
            ("budget = \"many\"", "\"unlimited\""),
            (
                "backoff = \"2 h\"",
                "`backoff` of `restart` is 7200 s; it can be 0 ns to 3600 s",
            ),
            ("healthy = \"0 ms\"", "`healthy` of `restart` is 0 ns"),
        ] {
            let error = parse(&format!("[driver.restart]\n{rest}")).unwrap_err();
            let place = error.starts_with("board.toml:6: ") || error.starts_with("board.toml:7: ");
            assert!(place && error.contains(words), "{error}");
        }
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits = |backoff| {
            let restart = Restart {
                backoff: Duration::from_millis(backoff),
                ..Restart::default()
            };
            [0, 1, 3, 6, 7, 99].map(|before| restart.wait(before).as_millis())
        };
        assert_eq!(waits(100), [100, 200, 800, 6400, 10_000, 10_000]);
        assert_eq!(waits(0), [0; 6]);
        assert_eq!(waits(60_000), [60_000; 6]);
    }
}
