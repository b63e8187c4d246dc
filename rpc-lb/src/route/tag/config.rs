//! Settings of the tag router.

use rpc_core::{matcher::Subject, metadata::MetadataKey};
use serde::{Deserialize, Serialize};

use crate::route::{RouteError, TargetMatcher, error};

/// Settings of the tag router.
///
/// ```toml
/// force = true
///
/// [[tags]]
/// name = "gray"
/// to = { address = { cidr = ["10.0.0.1", "10.1.0.0/16"] } }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TagConfig {
    /// Where a request has its tag. Default: `{ metadata = "dubbo.tag" }`.
    pub from: Subject,
    /// The metadata key that forces a request's tag with the value `true`. Default: `dubbo.force.tag`.
    pub force_key: String,
    /// The key of the instances' metadata that has their tag. Default: `dubbo.tag`.
    pub instance_key: String,
    /// Whether requests with a tag of [`tags`](Self::tags) that nobody has fail, rather than going to untagged instances.
    /// Default: no.
    pub force: bool,
    /// Which instances have a tag, whatever their records say of that tag. Default: none, so records decide.
    pub tags: Vec<TagRule>,
}

/// Which instances have a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagRule {
    /// The tag.
    pub name: String,
    /// The instances.
    pub to: TargetMatcher,
}

impl Default for TagConfig {
    fn default() -> Self {
        Self {
            from: Subject::Metadata(Self::TAG.into()),
            force_key: Self::FORCE.into(),
            instance_key: Self::TAG.into(),
            force: false,
            tags: Vec::new(),
        }
    }
}

impl TagConfig {
    /// Where Dubbo has the tag, of a request and of a provider.
    pub const TAG: &'static str = "dubbo.tag";
    /// Where Dubbo has whether a request's tag is forced.
    pub const FORCE: &'static str = "dubbo.force.tag";

    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where a request has its tag.
    pub fn with_from(mut self, subject: Subject) -> Self {
        self.from = subject;
        self
    }

    /// Sets the metadata key that forces a request's tag.
    pub fn with_force_key(mut self, key: impl Into<String>) -> Self {
        self.force_key = key.into();
        self
    }

    /// Sets the key of the instances' metadata that has their tag.
    pub fn with_instance_key(mut self, key: impl Into<String>) -> Self {
        self.instance_key = key.into();
        self
    }

    /// Sets whether the tags of rules are forced.
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Adds a tag, and says which instances have it.
    pub fn with_tag(mut self, name: impl Into<String>, to: TargetMatcher) -> Self {
        let name = name.into();
        self.tags.push(TagRule { name, to });
        self
    }

    pub(super) fn check(&self) -> Result<(), RouteError> {
        error::check_subject("from", &self.from)?;
        MetadataKey::text(&self.force_key)
            .map_err(|error| RouteError::new("force_key", error.to_string()))?;
        if self.instance_key.is_empty() {
            return Err(RouteError::new("instance_key", "is empty"));
        }
        error::check_text("instance_key", &self.instance_key)?;
        error::check_names(self.tags.iter().map(|tag| &*tag.name)).map_err(|error| error.within("tags"))?;
        for (at, tag) in self.tags.iter().enumerate() {
            let path = format!("tags[{at}].to");
            tag.to.check().map_err(|error| error.within(&path))?;
        }
        Ok(())
    }
}
