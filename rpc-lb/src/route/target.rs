//! Which instances a rule means.

use std::collections::BTreeMap;

use rpc_core::{context::Lane, matcher::Predicate};
use rpc_registry::Instance;
use serde::{Deserialize, Serialize};

use super::{RouteError, error::matching};

/// Which instances a rule means: those of which all that is asked holds. One that asks nothing means all.
///
/// In a document it is a table with a [`Predicate`] for each fact; a value alone is `equals`:
///
/// ```
/// use rpc_lb::route::TargetMatcher;
/// use rpc_registry::Instance;
///
/// let target: TargetMatcher = serde_json::from_str(
///     r#"{"zone": "a", "version": {"prefix": "v2."}, "metadata": {"tier": {"in": ["gold", "silver"]}}}"#,
/// )?;
/// let instance = Instance::new("1").with_zone("a").with_version("v2.7").with_metadata("tier", "gold");
/// assert!(target.matches(&instance));
/// assert!(!target.matches(&instance.with_zone("b")));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetMatcher {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Predicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Predicate>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, Predicate>,
}

impl TargetMatcher {
    /// The most entries of the metadata that may be asked for.
    pub const MAX_METADATA: usize = 32;
    /// The most bytes of a key of the metadata.
    pub const MAX_KEY_LEN: usize = 256;

    /// All instances.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks of its id.
    pub fn with_id(mut self, predicate: Predicate) -> Self {
        self.id = Some(predicate);
        self
    }

    /// Asks of its zone, which may be absent.
    pub fn with_zone(mut self, predicate: Predicate) -> Self {
        self.zone = Some(predicate);
        self
    }

    /// Asks of its version, which may be absent.
    pub fn with_version(mut self, predicate: Predicate) -> Self {
        self.version = Some(predicate);
        self
    }

    /// Asks of its groups, of which one must do; with `not`, all of them. One without belongs to
    /// [`Instance::DEFAULT_GROUP`].
    pub fn with_group(mut self, predicate: Predicate) -> Self {
        self.group = Some(predicate);
        self
    }

    /// Asks of its lane; there is none in the base lane.
    pub fn with_lane(mut self, predicate: Predicate) -> Self {
        self.lane = Some(predicate);
        self
    }

    /// Asks of the weight in its record.
    pub fn with_weight(mut self, predicate: Predicate) -> Self {
        self.weight = Some(predicate);
        self
    }

    /// Asks of its addresses, of which one must do; with `not`, all of them. Without the port, as in
    /// [`Predicate::test_address`].
    pub fn with_address(mut self, predicate: Predicate) -> Self {
        self.address = Some(predicate);
        self
    }

    /// Asks of an entry of its metadata, which may be absent.
    pub fn with_metadata(mut self, key: impl Into<String>, predicate: Predicate) -> Self {
        self.metadata.insert(key.into(), predicate);
        self
    }

    /// True if it asks nothing.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it means this instance.
    pub fn matches(&self, instance: &Instance) -> bool {
        let holds = |predicate: &Option<Predicate>, test: &dyn Fn(&Predicate) -> bool| {
            predicate.as_ref().is_none_or(test)
        };
        holds(&self.id, &|id| id.test(instance.id.as_str()))
            && holds(&self.zone, &|zone| zone.test_option(instance.zone.as_deref()))
            && holds(&self.version, &|version| {
                version.test_option(instance.version.as_deref())
            })
            && holds(&self.group, &|group| {
                if instance.groups.is_empty() {
                    group.test(Instance::DEFAULT_GROUP)
                } else {
                    group.test_any(instance.groups.iter().map(|own| &**own))
                }
            })
            && holds(&self.lane, &|lane| {
                lane.test_option(instance.lane.as_ref().map(Lane::as_str))
            })
            && holds(&self.weight, &|weight| weight.test(instance.weight))
            && holds(&self.address, &|address| {
                address.test_any_address(instance.addresses.iter().map(|at| &at.address))
            })
            && self
                .metadata
                .iter()
                .all(|(key, predicate)| predicate.test_option(instance.metadata.get(key).map(String::as_str)))
    }

    /// Checks all predicates and keys.
    pub(crate) fn check(&self) -> Result<(), RouteError> {
        if self.metadata.len() > Self::MAX_METADATA {
            let problem = format!("has more than {} entries", Self::MAX_METADATA);
            return Err(RouteError::new("metadata", problem));
        }
        let facts = [
            ("id", &self.id),
            ("zone", &self.zone),
            ("version", &self.version),
            ("group", &self.group),
            ("lane", &self.lane),
            ("weight", &self.weight),
            ("address", &self.address),
        ];
        for (name, predicate) in facts {
            if let Some(predicate) = predicate {
                predicate.check().map_err(|error| matching(error, name))?;
            }
        }
        for (key, predicate) in &self.metadata {
            if key.is_empty() || key.len() > Self::MAX_KEY_LEN {
                let problem = format!("a key has 1 to {} bytes", Self::MAX_KEY_LEN);
                return Err(RouteError::new("metadata", problem));
            }
            let path = format!("metadata.{key}");
            predicate.check().map_err(|error| matching(error, &path))?;
        }
        Ok(())
    }
}
