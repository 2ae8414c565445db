//! One thing that was looked at.

use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Finding {
    /// Whose grant it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) driver: Option<String>,
    pub(super) state: State,
    pub(super) what: String,
    /// Commands for a shell, and where there is none, what to do.
    pub(super) remedies: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Ok,
    Missing,
    /// Nothing asks for it.
    Advice,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>) -> Self {
        Self::new(State::Ok, what.into(), Vec::new())
    }

    pub(super) fn missing(what: impl Into<String>, remedies: Vec<String>) -> Self {
        Self::new(State::Missing, what.into(), remedies)
    }

    pub(super) fn advice(what: impl Into<String>, remedies: Vec<String>) -> Self {
        Self::new(State::Advice, what.into(), remedies)
    }

    fn new(state: State, what: String, remedies: Vec<String>) -> Self {
        Self {
            driver: None,
            state,
            what,
            remedies,
        }
    }

    pub(super) fn of(self, driver: &str) -> Self {
        Self {
            driver: Some(driver.to_owned()),
            ..self
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.state != State::Missing
    }
}
