//! The tag router.

use std::{collections::HashMap, sync::Arc};

use rpc_core::Call;

use super::TagConfig;
use crate::route::{Candidate, Candidates, Fact, Population, RouteError, RouteKey, Router};

/// Sends requests with a tag to the instances that have it. See the [module](super).
#[derive(Debug, Clone)]
pub struct TagRouter {
    config: TagConfig,
    rules: HashMap<Arc<str>, usize>,
    /// Where the instances' tags are.
    fact: Fact,
}

/// In the number of a key: the request forces its tag.
const FORCED: u64 = 1;
/// The key of requests that no endpoint may get.
const NOBODY: RouteKey = RouteKey::Number(0);

impl TagRouter {
    /// By the tags in records, where Dubbo has them.
    pub fn new() -> Self {
        Self::of(TagConfig::new())
    }

    /// With settings.
    ///
    /// # Errors
    /// If they make no sense; the error says which.
    pub fn with_config(config: TagConfig) -> Result<Self, RouteError> {
        config.check()?;
        Ok(Self::of(config))
    }

    fn of(config: TagConfig) -> Self {
        let names = config.tags.iter().map(|tag| tag.name.as_str().into());
        Self {
            rules: names.zip(0..).collect(),
            fact: Fact::metadata(&*config.instance_key),
            config,
        }
    }

    fn own_tag<'c>(&self, candidate: &Candidate<'c>) -> Option<&'c str> {
        let tag = candidate.instance.metadata.get(&self.config.instance_key);
        tag.map(String::as_str).filter(|tag| !tag.is_empty())
    }

    /// Whether an instance has a tag, by rule or by its record.
    fn has(&self, candidate: &Candidate<'_>, tag: &str) -> bool {
        match self.rules.get(tag) {
            Some(rule) => self.config.tags[*rule].to.matches(candidate.instance),
            None => self.own_tag(candidate) == Some(tag),
        }
    }

    fn is_untagged(&self, candidate: &Candidate<'_>) -> bool {
        self.own_tag(candidate).is_none()
            && !self
                .config
                .tags
                .iter()
                .any(|tag| tag.to.matches(candidate.instance))
    }

    fn only_untagged(&self, candidates: &mut Candidates<'_>, reason: impl FnOnce() -> String) {
        let before = candidates.len();
        candidates.retain(|candidate| self.is_untagged(&candidate));
        if candidates.len() < before {
            candidates.because(reason());
        }
    }
}

impl Default for TagRouter {
    fn default() -> Self {
        Self::new()
    }
}

impl Router for TagRouter {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn facts(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn key(&self, call: &Call<'_>, population: &Population) -> RouteKey {
        let forces = || match call.metadata.get(&self.config.force_key) {
            Some("true") => FORCED,
            _ => 0,
        };
        // A tag that nobody knows is none: a caller may ask for any.
        let key = self.config.from.with_bytes(call, |tag| {
            let tag = std::str::from_utf8(tag).ok()?;
            if tag.is_empty() {
                return Some(RouteKey::Plain);
            }
            let rule = self.rules.get_key_value(tag).map(|(tag, _)| tag);
            let known = rule.or_else(|| population.find(&self.fact, tag))?;
            Some(RouteKey::Text(Arc::clone(known), forces()))
        });
        match key {
            Some(Some(key)) => key,
            Some(None) if forces() == FORCED => NOBODY,
            Some(None) | None => RouteKey::Plain,
        }
    }

    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        let RouteKey::Text(tag, number) = key else {
            if *key == NOBODY {
                candidates.clear();
                candidates.because("nobody has the request's tag, which it forces");
            } else {
                self.only_untagged(candidates, || "no tag".to_owned());
            }
            return;
        };
        if candidates.prefer(|candidate| self.has(&candidate, tag)) {
            candidates.because(format!("tag `{tag}`"));
            return;
        }
        let is_forced = *number == FORCED || (self.config.force && self.rules.contains_key(tag));
        if is_forced {
            candidates.clear();
            candidates.because(format!("nobody has tag `{tag}`, which is forced"));
        } else {
            self.only_untagged(candidates, || format!("nobody has tag `{tag}`, so no tag"));
        }
    }
}
