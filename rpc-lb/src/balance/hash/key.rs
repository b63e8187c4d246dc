//! What of a call is hashed.

use rpc_core::{Call, matcher::Subject};

/// What of a call is hashed. A call that does not have it goes to any endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashKey {
    /// A value of the call: an entry of its metadata, a member of its baggage, a field of its request. Of several the
    /// first.
    Value(Subject),
    /// What the caller or a layer put into the call's extensions: a [`HashOf`].
    Extension,
}

/// The hash of a call, worked out by whoever knows best: put into [`Call::extensions`], or into those of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashOf(pub u64);

impl HashKey {
    /// By the value of a metadata key.
    pub fn metadata(key: &str) -> Self {
        Self::Value(Subject::Metadata(key.into()))
    }

    /// The hash of a call.
    pub fn hash(&self, call: &Call<'_>) -> Option<u64> {
        match self {
            Self::Value(subject) => subject.hash(call),
            Self::Extension => call.extensions.get::<HashOf>().map(|hash| hash.0),
        }
    }
}
