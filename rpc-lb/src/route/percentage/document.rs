//! A rule as it is written.

use rpc_core::matcher::{Matcher, Subject};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::PercentageRule;
use crate::route::Destination;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    #[serde(default)]
    when: Matcher,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Subject>,
    split: Vec<Destination>,
    #[serde(default)]
    force: bool,
}

impl<'de> Deserialize<'de> for PercentageRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        Self::new(raw.name, raw.when, raw.by, raw.split)
            .map(|rule| rule.with_force(raw.force))
            .map_err(|error| de::Error::custom(error.within("split")))
    }
}

impl Serialize for PercentageRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let by = self.split.by();
        let raw = Raw {
            name: self.name.clone(),
            when: self.when.clone(),
            by: (*by != Subject::Request).then(|| by.clone()),
            split: self.split.destinations().to_vec(),
            force: self.force,
        };
        raw.serialize(serializer)
    }
}
