//! Rules of faults.

use std::time::Duration;

use rpc_core::{Code, matcher::Matcher};
use serde::{Deserialize, Deserializer, de};

use crate::route::{RouteError, error};

/// Which calls are held up, or fail.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultRule {
    /// What it is called in the status of calls that fail by it.
    pub name: String,
    /// The calls. Default: all.
    #[serde(default)]
    pub when: Matcher,
    /// How long they are held up. Default: not at all.
    #[serde(default)]
    pub delay: Option<Delay>,
    /// How they fail. Default: not at all.
    #[serde(default)]
    pub abort: Option<Abort>,
}

/// How long calls are held up.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// For so long, at most [`Delay::MAX`].
    #[serde(deserialize_with = "crate::text::duration")]
    pub time: Duration,
    /// How many of them, in percent. Default: all.
    #[serde(default = "all")]
    pub percent: f64,
}

/// How calls fail.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// With which code; in a document by its name, `UNAVAILABLE`. Not OK.
    #[serde(deserialize_with = "code")]
    pub code: Code,
    /// With which message. Default: one that names the rule.
    #[serde(default)]
    pub message: Option<String>,
    /// How many of them, in percent. Default: all.
    #[serde(default = "all")]
    pub percent: f64,
}

fn all() -> f64 {
    100.0
}

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    let name = String::deserialize(deserializer)?;
    let mut codes = (1..=16).map(Code::from_u32);
    codes.find(|code| code.as_str() == name).ok_or_else(|| {
        let shown: String = name.chars().take(32).collect();
        let names: Vec<_> = (1..=16).map(|number| Code::from_u32(number).as_str()).collect();
        de::Error::custom(format!(
            "`{shown}` is no code of a failure; accepted are: {}",
            names.join(", ")
        ))
    })
}

impl Delay {
    /// The longest delay: an hour.
    pub const MAX: Duration = Duration::from_hours(1);

    /// Holds up all calls.
    pub fn new(time: Duration) -> Self {
        Self { time, percent: all() }
    }

    /// Sets how many of them, in percent.
    pub fn with_percent(mut self, percent: f64) -> Self {
        self.percent = percent;
        self
    }
}

impl Abort {
    /// All calls fail with a code.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            message: None,
            percent: all(),
        }
    }

    /// Sets the message.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets how many of them, in percent.
    pub fn with_percent(mut self, percent: f64) -> Self {
        self.percent = percent;
        self
    }
}

impl FaultRule {
    /// A rule for these calls, which does nothing yet.
    pub fn new(name: impl Into<String>, when: Matcher) -> Self {
        Self {
            name: name.into(),
            when,
            delay: None,
            abort: None,
        }
    }

    /// Sets how long they are held up.
    pub fn with_delay(mut self, delay: Delay) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Sets how they fail.
    pub fn with_abort(mut self, abort: Abort) -> Self {
        self.abort = Some(abort);
        self
    }

    pub(super) fn check(&self) -> Result<(), RouteError> {
        error::check_when("when", &self.when)?;
        if self.delay.is_none() && self.abort.is_none() {
            return Err(RouteError::new(
                "",
                "does nothing: write `delay`, `abort` or both",
            ));
        }
        if let Some(delay) = &self.delay {
            error::check_percent("delay.percent", delay.percent)?;
            if delay.time.is_zero() || delay.time > Delay::MAX {
                return Err(RouteError::new(
                    "delay.time",
                    "write more than 0s, and at most 1h",
                ));
            }
        }
        if let Some(abort) = &self.abort {
            error::check_percent("abort.percent", abort.percent)?;
            if abort.code == Code::Ok {
                return Err(RouteError::new("abort.code", "OK is no failure"));
            }
            if let Some(message) = &abort.message {
                error::check_text("abort.message", message)?;
            }
        }
        Ok(())
    }
}
