//! A rule as it is written.

use rpc_core::matcher::{Matcher, Subject};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ConditionRule, Owner, rule::Then};
use crate::route::{Destination, RouteError, Split, TargetMatcher};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    #[serde(default)]
    owner: Owner,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    when: Matcher,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<TargetMatcher>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<Vec<Destination>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Subject>,
    #[serde(default, skip_serializing_if = "is_false")]
    deny: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    force: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    go_on: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl TryFrom<Raw> for ConditionRule {
    type Error = RouteError;

    fn try_from(raw: Raw) -> Result<Self, RouteError> {
        if raw.by.is_some() && raw.split.is_none() {
            return Err(RouteError::new("by", "belongs to `split`"));
        }
        let then = match (raw.to, raw.split, raw.deny) {
            (Some(to), None, false) => {
                to.check().map_err(|error| error.within("to"))?;
                Then::To(Box::new(to))
            }
            (None, Some(split), false) => {
                let split = Split::new(split, raw.by, &raw.name);
                Then::Split(split.map_err(|error| error.within("split"))?)
            }
            (None, None, true) => Then::Deny,
            _ => {
                let problem = "write one of `to`, `split` and `deny = true`";
                return Err(RouteError::new(raw.name, problem));
            }
        };
        Ok(Self::new(raw.name, raw.when, then)
            .with_owner(raw.owner)
            .with_priority(raw.priority)
            .with_force(raw.force)
            .with_go_on(raw.go_on))
    }
}

impl<'de> Deserialize<'de> for ConditionRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Raw::deserialize(deserializer)?
            .try_into()
            .map_err(de::Error::custom)
    }
}

impl Serialize for ConditionRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rule = self.clone();
        let (mut to, mut split, mut by, mut deny) = (None, None, None, false);
        match rule.then {
            Then::To(target) => to = Some(*target),
            Then::Split(own) => {
                by = Some(own.by().clone()).filter(|by| *by != Subject::Request);
                split = Some(own.destinations().to_vec());
            }
            Then::Deny => deny = true,
        }
        let raw = Raw {
            name: rule.name,
            owner: rule.owner,
            priority: rule.priority,
            when: rule.when,
            to,
            split,
            by,
            deny,
            force: rule.force,
            go_on: rule.go_on,
        };
        raw.serialize(serializer)
    }
}
