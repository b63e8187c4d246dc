//! What of their instances routers want to know of all endpoints at once.

use std::sync::Arc;

use rpc_registry::Instance;

/// A fact of instances, the values of which [`Population`](super::Population) collects for the routers that
/// [ask for it](super::Router::facts).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// The groups that an instance belongs to; [`Instance::DEFAULT_GROUP`] where its record says none.
    Group,
    /// Where it runs.
    Zone,
    /// An entry of its metadata.
    Metadata(Arc<str>),
}

impl Fact {
    /// An entry of the metadata.
    pub fn metadata(key: impl Into<Arc<str>>) -> Self {
        Self::Metadata(key.into())
    }

    /// Hands out each value that an instance has.
    pub(crate) fn visit<'i>(&self, instance: &'i Instance, mut seen: impl FnMut(&'i str)) {
        match self {
            Self::Group if instance.groups.is_empty() => seen(Instance::DEFAULT_GROUP),
            Self::Group => instance.groups.iter().for_each(|group| seen(group)),
            Self::Zone => instance.zone.iter().for_each(|zone| seen(zone)),
            Self::Metadata(key) => instance
                .metadata
                .get(&**key)
                .into_iter()
                .for_each(|value| seen(value)),
        }
    }
}
