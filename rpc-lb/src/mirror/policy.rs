//! Rules of mirroring.

use std::time::Duration;

use rpc_core::matcher::{Matcher, Subject};
use serde::{Deserialize, Deserializer};

use crate::route::{RouteError, TargetMatcher, error};

/// Which calls are copied, and how many copies there may be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MirrorConfig {
    /// How many copies may be under way; calls that come while there are so many are not copied. Default: 64.
    pub max_in_flight: usize,
    /// The largest message that is copied, in bytes once encoded. Default: 1 MiB.
    pub max_bytes: usize,
    /// The rules, the first of which counts that means a call.
    pub rules: Vec<MirrorRule>,
}

/// Which calls are copied, and where the copies go.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MirrorRule {
    /// What it is called.
    pub name: String,
    /// The calls.
    pub when: Matcher,
    /// How many of them, in percent.
    pub percent: f64,
    /// What of a call says whether it is among those: calls in which that is the same are all copied, or none is. `None` is a
    /// number of the request's own.
    pub by: Option<Subject>,
    /// Where the copies go.
    pub to: MirrorTo,
    /// The longest that a copy may take.
    pub timeout: Duration,
}

/// Where copies go.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MirrorTo {
    /// To some of the instances of the same target: `to = { version = "v2" }` in a document.
    Instances(Box<TargetMatcher>),
    /// To another target, by the name under which the client knows it: `target = "shadow"`.
    Target(String),
}

impl Default for MirrorConfig {
    fn default() -> Self {
        Self {
            max_in_flight: 64,
            max_bytes: 1 << 20,
            rules: Vec::new(),
        }
    }
}

impl MirrorConfig {
    /// The most copies that [`max_in_flight`](Self::max_in_flight) may allow.
    pub const MAX_IN_FLIGHT: usize = 100_000;

    /// The defaults, and no rule.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule, after those that are there.
    pub fn with_rule(mut self, rule: MirrorRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Sets how many copies may be under way.
    pub fn with_max_in_flight(mut self, max: usize) -> Self {
        self.max_in_flight = max;
        self
    }

    /// Sets the largest message that is copied.
    pub fn with_max_bytes(mut self, max: usize) -> Self {
        self.max_bytes = max;
        self
    }

    pub(super) fn check(&self) -> Result<(), RouteError> {
        if !(1..=Self::MAX_IN_FLIGHT).contains(&self.max_in_flight) {
            let problem = format!("write 1 to {}", Self::MAX_IN_FLIGHT);
            return Err(RouteError::new("max_in_flight", problem));
        }
        let names = self.rules.iter().map(|rule| &*rule.name);
        error::check_names(names).map_err(|error| error.within("rules"))?;
        for (at, rule) in self.rules.iter().enumerate() {
            rule.check()
                .map_err(|error| error.within(&format!("rules[{at}]")))?;
        }
        Ok(())
    }
}

impl MirrorRule {
    /// The timeout of a rule that says nothing of it.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// Copies all of these calls.
    pub fn new(name: impl Into<String>, when: Matcher, to: MirrorTo) -> Self {
        Self {
            name: name.into(),
            when,
            percent: 100.0,
            by: None,
            to,
            timeout: Self::DEFAULT_TIMEOUT,
        }
    }

    /// Copies them for some of the instances of the same target.
    pub fn to_instances(name: impl Into<String>, when: Matcher, to: TargetMatcher) -> Self {
        Self::new(name, when, MirrorTo::Instances(Box::new(to)))
    }

    /// Copies them for another target, by the name under which the client knows it.
    pub fn to_target(name: impl Into<String>, when: Matcher, target: impl Into<String>) -> Self {
        Self::new(name, when, MirrorTo::Target(target.into()))
    }

    /// Sets how many of them are copied, in percent.
    pub fn with_percent(mut self, percent: f64) -> Self {
        self.percent = percent;
        self
    }

    /// Sets what of a call says whether it is copied.
    pub fn with_by(mut self, subject: Subject) -> Self {
        self.by = Some(subject);
        self
    }

    /// Sets the longest that a copy may take.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn check(&self) -> Result<(), RouteError> {
        error::check_when("when", &self.when)?;
        error::check_percent("percent", self.percent)?;
        if let Some(by) = &self.by {
            error::check_subject("by", by)?;
        }
        match &self.to {
            MirrorTo::Instances(to) => to.check().map_err(|error| error.within("to"))?,
            MirrorTo::Target(name) => error::check_text("target", name)?,
        }
        if self.timeout.is_zero() {
            return Err(RouteError::new("timeout", "is 0: no copy would ever be answered"));
        }
        Ok(())
    }
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    #[serde(default)]
    when: Matcher,
    #[serde(default = "all")]
    percent: f64,
    #[serde(default)]
    by: Option<Subject>,
    #[serde(default)]
    to: Option<TargetMatcher>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default = "default_timeout", deserialize_with = "crate::text::duration")]
    timeout: Duration,
}

fn all() -> f64 {
    100.0
}

fn default_timeout() -> Duration {
    MirrorRule::DEFAULT_TIMEOUT
}

impl<'de> Deserialize<'de> for MirrorRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let to = match (raw.to, raw.target) {
            (Some(to), None) => MirrorTo::Instances(Box::new(to)),
            (None, Some(target)) => MirrorTo::Target(target),
            _ => return Err(serde::de::Error::custom("write one of `to` and `target`")),
        };
        Ok(Self {
            name: raw.name,
            when: raw.when,
            percent: raw.percent,
            by: raw.by,
            to,
            timeout: raw.timeout,
        })
    }
}
