//! What of a call is hashed.

use rpc_core::{Call, matcher::Subject};
use serde::Deserialize;

/// What of a call is hashed. A call that does not have it goes to any endpoint.
///
/// In settings it is written as a matcher's subject, `{ metadata = "x-user" }` or `{ field = "order.user" }`, or is the word
/// `extension`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
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

/// As it is written.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a subject, `{ metadata = \"x-user\" }` say, or `extension`"
)]
enum Written {
    Word(Word),
    Value(Subject),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Extension,
}

impl From<Written> for HashKey {
    fn from(written: Written) -> Self {
        match written {
            Written::Word(Word::Extension) => Self::Extension,
            Written::Value(subject) => Self::Value(subject),
        }
    }
}
