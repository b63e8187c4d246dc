//! What of a call is hashed.

use rpc_core::{Call, metadata::MetadataKey};

/// What of a call is hashed. A call that does not have it goes to any endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashKey {
    /// An entry of the metadata: of several under the key the first.
    Metadata(MetadataKey),
    /// A member of the baggage.
    Baggage(String),
    /// What the caller or a layer put into the call's extensions: a [`HashOf`].
    Extension,
}

/// The hash of a call, worked out by whoever knows best: put into [`Call::extensions`], or into those of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashOf(pub u64);

impl HashKey {
    /// The hash of a call.
    pub fn hash(&self, call: &Call<'_>) -> Option<u64> {
        let of = |bytes: &[u8]| super::hash(bytes, 0);
        match self {
            Self::Metadata(key) if key.is_binary() => {
                call.metadata.get_bin(key.as_str()).map(|value| of(&value))
            }
            Self::Metadata(key) => call.metadata.get(key.as_str()).map(|value| of(value.as_bytes())),
            Self::Baggage(name) => call.context.baggage().get(name).map(|value| of(value.as_bytes())),
            Self::Extension => call.extensions.get::<HashOf>().map(|hash| hash.0),
        }
    }
}
