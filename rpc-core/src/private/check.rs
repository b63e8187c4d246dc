//! The bounds of generated code, each with a message that names the user's item and what to write.
//!
//! Each is one trait with one blanket implementation, which is marked so that the compiler reports the trait itself and
//! not what it is made of.

use std::{fmt::Display, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    MethodDescriptor, Status,
    codec::{Decode, Encode, MessageCodec},
};

/// Sees through an alias of `Result`.
#[diagnostic::on_unimplemented(
    message = "a method of a service must return a `Result`: a call can always fail on the way",
    label = "`{Self}` is not a `Result`",
    note = "write `Result<{Self}>`, or `Result<{Self}, E>` where `E` derives `rpc::ServiceError`"
)]
pub trait Returns {
    /// What the method returns if it succeeds.
    type Ok;
    /// What it returns if it fails.
    type Error;
}

impl<T, E> Returns for Result<T, E> {
    type Ok = T;
    type Error = E;
}

/// An error that a method of a service may return: it converts to and from a status.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a method: it must convert to and from `rpc::Status`",
    label = "needs `From<Status>`, and `Status` needs `From` of it",
    note = "add `#[derive(rpc::ServiceError)]` to `{Self}`; it gives each variant a code and a reason",
    note = "it must also be `Send`, and borrow nothing"
)]
pub trait Failure: From<Status> + Into<Status> + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<E: From<Status> + Into<Status> + Send + 'static> Failure for E {}

/// A field of an error that travels as a parameter of its reason.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as a parameter of an error",
    label = "needs `Display` and `FromStr`",
    note = "implement both for `{Self}`, or mark the field `#[rpc(json)]` if it is `Serialize` and `Deserialize`"
)]
pub trait Parameter: Display + FromStr {}

#[diagnostic::do_not_recommend]
impl<T: Display + FromStr> Parameter for T {}

/// A codec that a message goes through in both directions.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be a message of this service: codec `{Self}` cannot carry it",
    label = "codec `{Self}` cannot carry this",
    note = "for a codec of the serde family (MsgPack, Json, Postcard, Bincode) add `#[derive(serde::Serialize, serde::Deserialize)]` to `{T}`",
    note = "for `Prost` add `#[derive(prost::Message)]`, or make it from a `.proto` file with `rpc-build`",
    note = "`Request`, `Response` and `Streaming` must be written out in the method, not be hidden behind an alias"
)]
pub trait Carries<T>: Encode<T> + Decode<T> {}

#[diagnostic::do_not_recommend]
impl<T, C: Encode<T> + Decode<T>> Carries<T> for C {}

/// The table's entry of a codec that the service names.
pub const fn codec<T, C: Carries<T>>() -> MessageCodec<T> {
    MessageCodec::of::<C>()
}

/// The table's entry of codec `C`, where the service names codec `F` as well, which is of the serde family: the fields of a
/// message are found in its way if `C` has none of its own.
pub const fn codec_and<T, C: Carries<T>, F: Carries<T>>() -> MessageCodec<T> {
    MessageCodec::with_fields_of::<C, F>()
}

/// The descriptor of a method with requests in these codecs.
pub const fn with_fields<T>(
    method: MethodDescriptor,
    requests: &'static [MessageCodec<T>],
) -> MethodDescriptor {
    // A call may be in any of them.
    let mut at = 1;
    while at < requests.len() {
        if requests[at].field_check().is_none() {
            return method;
        }
        at += 1;
    }
    match requests[0].field_check() {
        Some(check) => method.request_fields(check),
        None => method,
    }
}

/// A message of a service that names no codecs, and a field of a message that any codec of the serde family carries.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message of this service: it is not `Serialize` and `Deserialize`",
    label = "needs `serde::Serialize` and `serde::Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`, or name other codecs: `#[rpc::service(codecs = [Prost])]`",
    note = "it must also be `Send`, and borrow nothing",
    note = "`Request`, `Response` and `Streaming` must be written out in the method, not be hidden behind an alias"
)]
pub trait SerdeMessage: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> SerdeMessage for T {}

/// The content-subtypes of a service that names no codecs, as far as their features are on.
#[cfg(any(feature = "json", feature = "msgpack"))]
pub const DEFAULT_CODECS: &[&str] = &[
    #[cfg(feature = "msgpack")]
    <crate::codec::MsgPack as crate::codec::Codec>::NAME,
    #[cfg(feature = "json")]
    <crate::codec::Json as crate::codec::Codec>::NAME,
];

/// The table of a message of such a service.
#[cfg(any(feature = "json", feature = "msgpack"))]
pub const fn default_codecs<T: SerdeMessage>() -> [MessageCodec<T>; DEFAULT_CODECS.len()] {
    [
        #[cfg(feature = "msgpack")]
        MessageCodec::of::<crate::codec::MsgPack>(),
        #[cfg(feature = "json")]
        MessageCodec::of::<crate::codec::Json>(),
    ]
}
