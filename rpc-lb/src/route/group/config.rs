//! Settings of the group router.

use rpc_core::matcher::{Matcher, Subject};
use rpc_registry::Instance;
use serde::{Deserialize, Serialize};

use crate::route::{RouteError, error};

/// Settings of the group router.
///
/// ```toml
/// from = { metadata = "x-group" }
/// default = "default"
///
/// [[rules]]
/// when = [{ on = { baggage = "plan" }, equals = "gold" }]
/// group = "vip"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GroupConfig {
    /// What of a request names its group. Default: nothing does.
    pub from: Option<Subject>,
    /// The group of requests of which neither a rule nor they themselves say one. Default: [`Instance::DEFAULT_GROUP`].
    pub default: String,
    /// Which requests mean which group; the first one that matches counts.
    pub rules: Vec<GroupRule>,
}

/// Which requests mean a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRule {
    /// The requests.
    pub when: Matcher,
    /// The group.
    pub group: String,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            from: None,
            default: Instance::DEFAULT_GROUP.to_owned(),
            rules: Vec::new(),
        }
    }
}

impl GroupConfig {
    /// All requests mean the default group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what of a request names its group.
    pub fn with_from(mut self, subject: Subject) -> Self {
        self.from = Some(subject);
        self
    }

    /// Sets the group of requests of which nobody says one.
    pub fn with_default(mut self, group: impl Into<String>) -> Self {
        self.default = group.into();
        self
    }

    /// Adds a rule, after those that are there.
    pub fn with_rule(mut self, when: Matcher, group: impl Into<String>) -> Self {
        let group = group.into();
        self.rules.push(GroupRule { when, group });
        self
    }

    pub(super) fn check(&self) -> Result<(), RouteError> {
        let group = |path: &str, group: &str| {
            if group.is_empty() {
                return Err(RouteError::new(path, "is empty"));
            }
            error::check_text(path, group)
        };
        group("default", &self.default)?;
        if let Some(from) = &self.from {
            error::check_subject("from", from)?;
        }
        if self.rules.len() > error::MAX_RULES {
            let problem = format!("there are more than {} rules", error::MAX_RULES);
            return Err(RouteError::new("rules", problem));
        }
        for (at, rule) in self.rules.iter().enumerate() {
            error::check_when(&format!("rules[{at}].when"), &rule.when)?;
            group(&format!("rules[{at}].group"), &rule.group)?;
        }
        Ok(())
    }
}
