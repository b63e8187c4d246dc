//! The group router.

use std::sync::Arc;

use rpc_core::Call;

use super::GroupConfig;
use crate::route::{Candidates, Fact, Population, RouteError, RouteKey, Router};

/// Sends each request to its application group. See the [module](super).
#[derive(Debug, Clone)]
pub struct GroupRouter {
    config: GroupConfig,
}

/// The key of requests that no endpoint may get.
const NOBODY: RouteKey = RouteKey::Number(0);

impl GroupRouter {
    /// With settings.
    ///
    /// # Errors
    /// If they make no sense; the error says which.
    pub fn with_config(config: GroupConfig) -> Result<Self, RouteError> {
        config.check()?;
        Ok(Self { config })
    }
}

impl Router for GroupRouter {
    fn name(&self) -> &'static str {
        "group"
    }

    fn facts(&self) -> Vec<Fact> {
        vec![Fact::Group]
    }

    fn needs_request_key(&self) -> bool {
        self.config.rules.iter().any(|rule| rule.when.needs_request_key())
    }

    fn key(&self, call: &Call<'_>, population: &Population) -> RouteKey {
        let key = |group: &str| {
            if *group == *self.config.default {
                return RouteKey::Plain;
            }
            match population.find(&Fact::Group, group) {
                Some(group) => RouteKey::Text(Arc::clone(group), 0),
                None => NOBODY,
            }
        };
        let mut rules = self.config.rules.iter();
        if let Some(rule) = rules.find(|rule| rule.when.matches(call)) {
            return key(&rule.group);
        }
        let own = self.config.from.as_ref();
        let own = own.and_then(|from| {
            from.with_bytes(call, |group| match std::str::from_utf8(group) {
                Ok("") => RouteKey::Plain,
                Ok(group) => key(group),
                Err(_) => NOBODY,
            })
        });
        own.unwrap_or_default()
    }

    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        let group = match key {
            RouteKey::Plain => &*self.config.default,
            RouteKey::Text(group, _) => group,
            _ => {
                candidates.clear();
                candidates.because("the request's group has no endpoint");
                return;
            }
        };
        let before = candidates.len();
        candidates.retain(|candidate| candidate.instance.is_in_group(group));
        if candidates.len() < before {
            candidates.because(format!("group `{group}`"));
        }
    }
}
