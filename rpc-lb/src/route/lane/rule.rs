//! Where a lane's requests go that finds no endpoint of its own.

use std::{collections::HashMap, error::Error, fmt, str::FromStr};

use rpc_core::context::{InvalidLane, Lane};
use serde::{Deserialize, Deserializer, de};

/// One place to fall back to: in rules `base`, or the name of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// The base lane.
    Base,
    /// Another lane.
    Lane(Lane),
}

/// The fallbacks of all lanes.
///
/// ```toml
/// default = ["base"]
///
/// [lanes]
/// green = ["staging", "base"]
/// payments-test = []
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Raw")]
pub struct LaneFallbacks {
    pub(super) default: Vec<Fallback>,
    pub(super) lanes: HashMap<Lane, Vec<Fallback>>,
}

impl LaneFallbacks {
    /// The most lanes that may have a list of their own, and the most entries of a list.
    pub const MAX: (usize, usize) = (1024, 16);

    /// Every lane falls back to the base lane.
    pub fn new() -> Self {
        Self::default()
    }

    /// What counts for lanes without a list of their own. Default: the base lane. Empty: there is no fallback.
    pub fn with_default(mut self, fallbacks: impl IntoIterator<Item = Fallback>) -> Self {
        self.default = fallbacks.into_iter().collect();
        self
    }

    /// The list of one lane.
    pub fn with_lane(mut self, lane: Lane, fallbacks: impl IntoIterator<Item = Fallback>) -> Self {
        self.lanes.insert(lane, fallbacks.into_iter().collect());
        self
    }

    /// # Errors
    /// If a list names its own lane, names one twice, or is too long, or there are too many.
    pub(super) fn check(&self) -> Result<(), InvalidLaneRule> {
        let (lanes, entries) = Self::MAX;
        if self.lanes.len() > lanes {
            return Err(InvalidLaneRule::new(
                "lanes",
                format!("has more than {lanes} entries"),
            ));
        }
        let named = self
            .lanes
            .iter()
            .map(|(lane, list)| (format!("lanes.{lane}"), Some(lane), list));
        for (path, lane, list) in named.chain([("default".to_owned(), None, &self.default)]) {
            if list.len() > entries {
                return Err(InvalidLaneRule::new(
                    path,
                    format!("has more than {entries} entries"),
                ));
            }
            for (at, fallback) in list.iter().enumerate() {
                let path = || format!("{path}[{at}]");
                if matches!((fallback, lane), (Fallback::Lane(to), Some(lane)) if to == lane) {
                    return Err(InvalidLaneRule::new(path(), "is the lane itself"));
                }
                if list[..at].contains(fallback) {
                    return Err(InvalidLaneRule::new(path(), "stands there twice"));
                }
            }
        }
        Ok(())
    }
}

impl Default for LaneFallbacks {
    fn default() -> Self {
        Self {
            default: vec![Fallback::Base],
            lanes: HashMap::new(),
        }
    }
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    default: Option<Vec<Fallback>>,
    #[serde(default)]
    lanes: HashMap<String, Vec<Fallback>>,
}

impl TryFrom<Raw> for LaneFallbacks {
    type Error = InvalidLaneRule;

    fn try_from(raw: Raw) -> Result<Self, InvalidLaneRule> {
        let mut rule = Self::new();
        if let Some(default) = raw.default {
            rule.default = default;
        }
        for (name, fallbacks) in raw.lanes {
            let lane = Lane::new(&name).map_err(|error| InvalidLaneRule::new("lanes", error.to_string()))?;
            rule.lanes.insert(lane, fallbacks);
        }
        rule.check()?;
        Ok(rule)
    }
}

impl FromStr for Fallback {
    type Err = InvalidLane;

    fn from_str(text: &str) -> Result<Self, InvalidLane> {
        match text {
            "base" => Ok(Self::Base),
            _ => Lane::new(text).map(Self::Lane),
        }
    }
}

impl<'de> Deserialize<'de> for Fallback {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Lane(lane) => lane.fmt(f),
        }
    }
}

/// Fallbacks that make no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLaneRule {
    path: String,
    problem: String,
}

impl InvalidLaneRule {
    fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for InvalidLaneRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.problem)
    }
}

impl Error for InvalidLaneRule {}
