//! What of a call is hashed.

use rpc_core::{
    Call, ServiceDescriptor,
    matcher::{Matcher, Subject},
};
use serde::Deserialize;

use crate::{balance::InvalidBalancer, route::error::check_subject};

/// What of a call is hashed. A call that does not have it goes to any endpoint: [`bind`](Self::bind) makes sure that there are
/// requests with such a field.
///
/// In settings it is written as a matcher's subject, `{ metadata = "x-user" }` or `{ field = "order.user" }`, or is the word
/// `extension`. Messages that have protobuf alone, and no codec of the serde family, have no fields here.
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

    /// Makes sure that requests of one of these services' methods have the field that is hashed, if it is one: see
    /// [`Subject::bind`].
    ///
    /// # Errors
    /// If no request has such a field; the error says what there is.
    pub fn bind(&self, services: &[&ServiceDescriptor]) -> Result<(), InvalidBalancer> {
        let Self::Value(subject) = self else {
            return Ok(());
        };
        let bound = subject.bind(&Matcher::every(), services.iter().copied());
        bound.map_err(|error| nothing(error.problem()))
    }

    /// Makes sure that calls of a client can have it.
    pub(super) fn check(&self) -> Result<(), InvalidBalancer> {
        let Self::Value(subject) = self else {
            return Ok(());
        };
        check_subject("key", subject).map_err(|error| nothing(error.problem()))
    }

    /// The hash of a call.
    pub fn hash(&self, call: &Call<'_>) -> Option<u64> {
        match self {
            Self::Value(subject) => subject.hash(call),
            Self::Extension => call.extensions.get::<HashOf>().map(|hash| hash.0),
        }
    }
}

fn nothing(problem: &str) -> InvalidBalancer {
    InvalidBalancer::new("key", format!("is nothing that calls have: {problem}"))
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
