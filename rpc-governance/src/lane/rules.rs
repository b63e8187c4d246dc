//! Rules that put calls into lanes.

use rpc_core::{
    Call,
    context::Lane,
    matcher::{MatchError, Matcher, RequestKey},
};
use serde::{Deserialize, Deserializer, de};

/// Rules that put calls into lanes: the first that means a call counts.
///
/// ```
/// # use rpc_governance::lane::LaneRules;
/// let rules: LaneRules = toml::from_str(r#"
///     [[rules]]
///     lane = "green"
///     when = [{ on = { metadata = "x-user" }, in = ["alice", "bob"] }]
///
///     [[rules]]
///     lane = "canary"
///     when = [{ on = "service", equals = "shop.v1.Inventory" }, { on = "request", percent = 2.5 }]
/// "#)?;
/// # assert_eq!(rules.rules().len(), 2);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneRules {
    #[serde(deserialize_with = "bounded")]
    rules: Vec<LaneRule>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LaneRule {
    /// The calls that it means. Default: all.
    #[serde(default)]
    pub when: Matcher,
    /// The lane that they get; `None`, in rules `base`, is the base lane.
    #[serde(deserialize_with = "lane")]
    pub lane: Option<Lane>,
    /// Whether it means calls too that are in a lane already. Default: no.
    #[serde(default)]
    pub overrides: bool,
}

impl LaneRule {
    /// Calls that a matcher means get a lane, unless they have one.
    pub fn new(when: Matcher, lane: impl Into<Option<Lane>>) -> Self {
        Self {
            when,
            lane: lane.into(),
            overrides: false,
        }
    }

    /// Those too that are in a lane already.
    pub fn overriding(mut self) -> Self {
        self.overrides = true;
        self
    }
}

impl LaneRules {
    /// The most rules that there may be.
    pub const MAX: usize = 1000;

    /// These rules, in order.
    ///
    /// # Errors
    /// If there are more than [`MAX`](Self::MAX).
    pub fn new(rules: impl IntoIterator<Item = LaneRule>) -> Result<Self, MatchError> {
        let rules: Vec<_> = rules.into_iter().collect();
        check(&rules)?;
        Ok(Self { rules })
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[LaneRule] {
        &self.rules
    }

    /// Puts a call into its lane.
    pub fn apply(&self, call: &mut Call<'_>) {
        let Some(rule) = self.rule_for(call) else {
            return;
        };
        if rule.lane.as_ref() != call.context.lane() {
            call.context = std::mem::take(&mut call.context).with_lane(rule.lane.clone());
        }
    }

    fn rule_for(&self, call: &mut Call<'_>) -> Option<&LaneRule> {
        let has_lane = call.context.lane().is_some();
        let may = |rule: &&LaneRule| !has_lane || rule.overrides;
        for rule in self.rules.iter().filter(may) {
            if rule.when.needs_request_key() {
                // What is decided here by chance is decided alike by whoever looks at the call later.
                RequestKey::draw(call);
            }
            if rule.when.matches(call) {
                return Some(rule);
            }
        }
        None
    }
}

fn check(rules: &[LaneRule]) -> Result<(), MatchError> {
    if rules.len() > LaneRules::MAX {
        let problem = format!("there are more than {} rules", LaneRules::MAX);
        return Err(MatchError::new("rules", problem));
    }
    Ok(())
}

fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LaneRule>, D::Error> {
    let rules = Vec::deserialize(deserializer)?;
    check(&rules).map_err(de::Error::custom)?;
    Ok(rules)
}

fn lane<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lane>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name == "base" {
        return Ok(None);
    }
    Lane::new(&name).map(Some).map_err(de::Error::custom)
}
