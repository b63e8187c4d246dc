//! What of a call a condition looks at.

use serde::{Deserialize, Serialize};

use super::{MatchError, RequestKey, hash64};
use crate::{
    Call,
    context::{Caller, Lane},
    message::{Body, FieldPath, FieldValue, Text},
    metadata::MetadataKey,
    net::Address,
};

/// What of a call a condition looks at: `on` in a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// `"service"`: the full name, `shop.v1.Inventory`.
    Service,
    /// `"method"`: the name, `Stock`, or the path, `/shop.v1.Inventory/Stock`; either may hold. A hash is that of the path.
    Method,
    /// `"lane"`: that of the context. There is none in the base lane.
    Lane,
    /// `"caller"`: the name of the application that calls, where somebody made sure of it: [`Caller::application`].
    Caller,
    /// `"caller_address"`: the address that the call came from. On the client's side there is none, as of the name.
    CallerAddress,
    /// `"request"`: a number of the request's own, for `percent` and `hash`. See [`RequestKey`].
    Request,
    /// `{ metadata = "x-tenant" }`: the values of a key; one of them must hold. A hash is that of the first.
    Metadata(Box<str>),
    /// `{ baggage = "tier" }`: the value of a name in the context's baggage.
    Baggage(Box<str>),
    /// `{ field = "order.region" }`: a field of the request, by path. One of the values must hold if the path finds several; a hash
    /// is that of the first.
    ///
    /// There is one for as long as the request is a value: on the client's side, and in process. What arrives over a wire, and a
    /// stream of requests, has no fields. Messages that have protobuf alone have them in the conditions of a matcher that is
    /// [bound](super::Matcher::bind), and nowhere else.
    Field(FieldPath),
}

impl Subject {
    /// The most bytes of a key or name.
    pub const MAX_KEY_LEN: usize = 256;

    /// Makes sure that calls of a client can have it: see [`Matcher::check_for_client`](super::Matcher::check_for_client).
    ///
    /// # Errors
    /// If it is of the caller.
    pub fn check_for_client(&self) -> Result<(), MatchError> {
        if self.is_of_caller() {
            return Err(MatchError::no_caller());
        }
        Ok(())
    }

    pub(super) fn is_of_caller(&self) -> bool {
        matches!(self, Self::Caller | Self::CallerAddress)
    }

    /// Checks keys and names.
    pub(super) fn check(&self) -> Result<(), MatchError> {
        let too_long = |field: &str, key: &str| {
            let problem = format!("it is longer than {} bytes", Self::MAX_KEY_LEN);
            (key.len() > Self::MAX_KEY_LEN).then(|| MatchError::new(field, problem))
        };
        let error = match self {
            Self::Metadata(key) => too_long("on.metadata", key).or_else(|| {
                let read = if key.ends_with("-bin") {
                    MetadataKey::binary(key)
                } else {
                    MetadataKey::text(key)
                };
                read.err()
                    .map(|error| MatchError::new("on.metadata", error.to_string()))
            }),
            Self::Baggage(name) if name.is_empty() => Some(MatchError::new("on.baggage", "it is empty")),
            Self::Baggage(name) => too_long("on.baggage", name),
            _ => None,
        };
        error.map_or(Ok(()), Err)
    }

    /// Hands out the first value that a call has as bytes: text as UTF-8, numbers and truth values as text, so that the number
    /// 42 in a field and the text `42` in a header are the same. A method is its path, an address that of the host; fields are
    /// found where the request is a value with a codec of the serde family. [`bind`](Self::bind) makes sure that there is one.
    pub fn with_bytes<R>(&self, call: &Call<'_>, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let mut f = Some(f);
        let mut found = None;
        let mut see = |value: FieldValue<'_>| {
            if found.is_none() {
                found = value.with_bytes(|bytes| f.take().map(|f| f(bytes))).flatten();
            }
        };
        match self {
            Self::CallerAddress => match call.context.caller()?.peer()? {
                Address::Socket(address) => {
                    see(Text::new().print(&address.ip().to_canonical())?.into());
                }
                other => see(Text::new().print(other)?.into()),
            },
            Self::Field(path) => match &call.body {
                Body::Value(value) => _ = value.field(path, &mut see),
                Body::Boxed(value) => _ = value.field(path, &mut see),
                _ => {}
            },
            _ => self.visit(call, &mut see),
        }
        found
    }

    /// The [`hash64`] of the first value that the call has, with seed 0: see [`with_bytes`](Self::with_bytes). `None` if it
    /// has none.
    pub fn hash(&self, call: &Call<'_>) -> Option<u64> {
        self.with_bytes(call, |bytes| hash64(bytes, 0))
    }

    /// Hands out each value that the call has, until `seen` has seen enough.
    pub(super) fn visit(&self, call: &Call<'_>, seen: &mut dyn FnMut(FieldValue<'_>)) {
        match self {
            Self::Service => seen(call.method.service().into()),
            Self::Method => {
                seen(call.method.path().into());
                seen(call.method.name().into());
            }
            Self::Lane => one(call.context.lane().map(Lane::as_str), seen),
            Self::Caller => one(call.context.caller().and_then(Caller::application), seen),
            // These have ways of their own.
            Self::CallerAddress | Self::Field(_) => {}
            Self::Request => seen(RequestKey::of(call).into()),
            Self::Metadata(key) => {
                for value in call.metadata.get_all(key) {
                    match (value.as_str(), value.as_bytes()) {
                        (Some(text), _) => seen(text.into()),
                        (None, Some(bytes)) => seen((&*bytes).into()),
                        // It is there, though it is no text.
                        (None, None) => seen(FieldValue::Composite),
                    }
                }
            }
            Self::Baggage(name) => one(call.context.baggage().get(name), seen),
        }
    }
}

fn one(value: Option<&str>, seen: &mut dyn FnMut(FieldValue<'_>)) {
    if let Some(value) = value {
        seen(value.into());
    }
}
