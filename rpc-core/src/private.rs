//! What the code that `#[rpc::service]` writes needs besides the public API.
//!
//! Generated functions are one line each, and a user's crate depends on nothing but the facade; so the traits that see
//! through a user's `Result` alias, the checks that report a missing bound at the user's token, and the crates that
//! derives need are reachable from here. Nothing in here is public API: it may change in any release, together with the
//! macro.

mod arguments;
mod check;
mod parameter;
#[cfg(feature = "prost")]
pub mod protobuf;
mod signature;

#[cfg(feature = "prost")]
pub use prost;
pub use serde;

pub use self::check::SerdeMessage;
#[cfg(any(feature = "json", feature = "msgpack"))]
pub use self::check::{DEFAULT_CODECS, default_codecs};
#[cfg(feature = "json")]
pub use self::parameter::json_field;
pub use self::{
    arguments::{AnyKind, Empty, Kind},
    check::{Carries, Failure, Parameter, Returns, codec, codec_and, with_fields},
    parameter::{Field, text_field},
    signature::{Signature, signature},
};
pub use crate::server::handler::{many_to_many, many_to_one, one_to_many, one_to_one};
use crate::{Call, CallFuture, Status, status::reason};

/// What a server answers to a method index that its descriptor does not have.
pub fn no_such_method<'a>(call: &Call<'_>) -> CallFuture<'a> {
    let text = format!("the service has no method `{}`", call.method.name());
    let status = Status::unimplemented(text)
        .with_reason(reason::METHOD_UNKNOWN)
        .with_domain(reason::DOMAIN);
    CallFuture::ready(Err(status.not_processed()))
}
