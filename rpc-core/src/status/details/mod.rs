//! Details: what a status says to machines.
//!
//! On the wire they are `google.protobuf.Any`: a type URL and an encoded message. The messages of `google.rpc` have types
//! here ([`RetryInfo`], [`BadRequest`], [`QuotaFailure`], ...), and [`DetailType`] makes one of any protobuf message of a
//! user's. They are structs of ours, not the generated ones of some protobuf crate, so that its releases are not ours.
//!
//! ```
//! use rpc_core::{Status, status::{BadRequest, FieldViolation}};
//!
//! let status = Status::invalid_argument("two fields are wrong")
//!     .with_detail(BadRequest::new([FieldViolation::new("sku", "is empty"), FieldViolation::new("count", "is negative")]));
//! let found: BadRequest = status.detail().expect("it was put in above");
//! assert_eq!(found.violations[1].field, "count");
//! ```
//!
//! # The facts of a hop on the wire
//! What the next hop must know besides is carried by details as well, so that it crosses proxies and other languages:
//!
//! - "not processed", overload, "retryable" and "no retry" are entries of an [`ErrorInfo`] in our domain
//!   ([`reason::DOMAIN`](super::reason::DOMAIN)): `overload=true`. If the status gives a reason of our domain, that
//!   is the one; if the reason is a user's, theirs comes first and ours, with reason `HOP`, follows.
//! - "Not processed" is the path of the method that was not begun, `not_processed=/shop.v1.Cart/Add`, and is believed of a
//!   call of that method only: servers that know nothing of these facts pass details on as they got them, from a call of
//!   their own. A status whose [place](Status::place) has no method neither says so nor is told so.
//! - The others, and pushback, come with the path of the method as well, `at=/shop.v1.Cart/Add`, for the same reason: where the
//!   method that was called is known, and is another one, none of them is believed. Without `at` they are.
//! - Pushback is [`RetryInfo`]; gRPC adds its trailer `grpc-retry-pushback-ms`, which is always believed.
//!
//! Reading takes them out again, into the facts: so they are never in [`Status::details`], and never reach the hop
//! after the next one.

mod diagnosis;
mod error_info;
mod help;
mod proto;
mod retry;
mod violations;
mod wire;

use std::borrow::Cow;

use bytes::Bytes;

pub use self::{
    diagnosis::{DebugInfo, RequestInfo, ResourceInfo},
    error_info::ErrorInfo,
    help::{Help, HelpLink, LocalizedMessage},
    retry::RetryInfo,
    violations::{
        BadRequest, FieldViolation, PreconditionFailure, PreconditionViolation, QuotaFailure, QuotaViolation,
    },
};
use super::{Inner, Status};

/// One detail: a message with the URL of its type, `google.protobuf.Any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// `type.googleapis.com/google.rpc.RetryInfo`.
    pub type_url: Cow<'static, str>,
    /// The message, encoded as protobuf.
    pub value: Bytes,
}

impl Detail {
    /// The full name of the message, `google.rpc.RetryInfo`: what follows the last `/` of the URL.
    pub fn type_name(&self) -> &str {
        name_of(&self.type_url)
    }

    /// The typed form; `None` if it is of another type or malformed.
    pub fn read<T: DetailType>(&self) -> Option<T> {
        if self.type_name() == name_of(T::TYPE_URL) {
            T::from_bytes(&self.value)
        } else {
            None
        }
    }
}

/// A protobuf message that can be a detail.
///
/// ```
/// use bytes::Bytes;
/// use prost::Message;
/// use rpc_core::status::DetailType;
///
/// #[derive(Clone, PartialEq, Message)]
/// struct Shelf {
///     #[prost(uint32, tag = "1")]
///     number: u32,
/// }
///
/// impl DetailType for Shelf {
///     const TYPE_URL: &'static str = "type.googleapis.com/shop.v1.Shelf";
///
///     fn to_bytes(&self) -> Bytes {
///         self.encode_to_vec().into()
///     }
///
///     fn from_bytes(bytes: &Bytes) -> Option<Self> {
///         Self::decode(bytes.clone()).ok()
///     }
/// }
/// ```
pub trait DetailType: Sized {
    /// The URL that it is sent with. Only what follows the last `/`, the message's full name, is compared when reading.
    const TYPE_URL: &'static str;

    /// The encoded message.
    fn to_bytes(&self) -> Bytes;

    /// Reads the message; `None` if the bytes are none.
    fn from_bytes(bytes: &Bytes) -> Option<Self>;

    /// What a status knows of this type without any detail of it.
    #[doc(hidden)]
    fn from_facts(status: &Status) -> Option<Self> {
        let _ = status;
        None
    }
}

impl<T: DetailType> From<T> for Detail {
    fn from(message: T) -> Self {
        Self {
            type_url: Cow::Borrowed(T::TYPE_URL),
            value: message.to_bytes(),
        }
    }
}

impl Status {
    /// Further details, in order, without [`ErrorInfo`] and [`RetryInfo`]: those are [`error_info`](Self::error_info) and
    /// [`pushback`](Self::pushback).
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }

    /// The first detail of a type; `None` if there is none, or a malformed one.
    pub fn detail<T: DetailType>(&self) -> Option<T> {
        T::from_facts(self).or_else(|| self.0.details.iter().find_map(Detail::read))
    }

    /// Adds a detail. An [`ErrorInfo`] becomes the status' own, if it has none; a [`RetryInfo`] becomes its pushback.
    pub fn with_detail(mut self, detail: impl Into<Detail>) -> Self {
        self.add_detail(detail.into());
        self
    }

    fn add_detail(&mut self, detail: Detail) {
        if let Some(retry) = detail.read::<RetryInfo>() {
            self.0.facts.set_pushback(retry.retry_delay);
        } else if let Some(info) = detail.read::<ErrorInfo>() {
            self.add_error_info(info, detail);
        } else {
            self.0.details.push(detail);
        }
    }

    fn add_error_info(&mut self, mut info: ErrorInfo, detail: Detail) {
        let Inner { facts, place, .. } = &mut *self.0;
        if facts.take_from(&mut info, place.path()) {
            return;
        }
        if self.0.info.is_none() {
            self.0.info = Some(info);
            return;
        }
        // A further one stays what it is, without the facts if it is ours.
        let is_ours = info.domain == super::reason::DOMAIN;
        self.0.details.push(if is_ours { info.into() } else { detail });
    }
}

fn name_of(type_url: &str) -> &str {
    type_url.rsplit_once('/').map_or(type_url, |(_, name)| name)
}

/// Implements [`DetailType`] through a private protobuf struct.
macro_rules! coded_as {
    ($ours:ty, $proto:ty, $name:literal) => {
        impl crate::status::details::DetailType for $ours {
            const TYPE_URL: &'static str = concat!("type.googleapis.com/google.rpc.", $name);

            fn to_bytes(&self) -> bytes::Bytes {
                prost::Message::encode_to_vec(&<$proto>::from(self.clone())).into()
            }

            fn from_bytes(bytes: &bytes::Bytes) -> Option<Self> {
                <$proto as prost::Message>::decode(bytes.clone())
                    .ok()
                    .map(Self::from)
            }
        }
    };
}
use coded_as;
