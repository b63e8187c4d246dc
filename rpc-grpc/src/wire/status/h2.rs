//! What an error of HTTP/2 means for a call.

use h2::Reason;
use rpc_core::{
    Code, Status,
    status::{Side, reason},
};

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Perspective {
    /// We call.
    Client,
    /// We answer.
    Server,
}

/// The status of a call whose stream, or whose connection, failed.
///
/// On a server every one of these means that the caller is gone: CANCELLED, reason `CALLER_GONE`.
pub(crate) fn from_h2(error: &h2::Error, perspective: Perspective) -> Status {
    let status = match perspective {
        Perspective::Server => gone(if error.is_reset() && error.is_remote() {
            Side::Client
        } else {
            Side::Network
        }),
        Perspective::Client => from_h2_client(error),
    };
    status.with_source(error.to_string())
}

/// The status of a call whose peer reset its stream.
pub(crate) fn from_reason(reset: Reason, perspective: Perspective) -> Status {
    if perspective == Perspective::Server {
        return gone(Side::Client).with_source(format!("the stream was reset: {reset:?}"));
    }
    let code = match reset {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    };
    let status = Status::new(code, format!("the peer reset the stream: {reset:?}"))
        .with_reason(reason::STREAM_RESET)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Server);
    match reset {
        // The one reset that proves that nothing was done.
        Reason::REFUSED_STREAM => status.not_processed(),
        Reason::ENHANCE_YOUR_CALM => status.overload(),
        _ => status,
    }
}

/// How to reset a stream whose call ended like this.
pub(crate) fn reset_reason(status: &Status) -> Reason {
    match status.code() {
        Code::Unavailable if !status.was_processed() => Reason::REFUSED_STREAM,
        Code::Internal => Reason::INTERNAL_ERROR,
        _ => Reason::CANCEL,
    }
}

fn from_h2_client(error: &h2::Error) -> Status {
    match error.reason() {
        Some(reset) if error.is_reset() && error.is_remote() => from_reason(reset, Perspective::Client),
        Some(reset) if error.is_reset() && error.is_library() => {
            Status::internal(format!("the peer broke HTTP/2 on the stream: {reset:?}"))
                .with_reason(reason::PROTOCOL_BROKEN)
                .with_domain(reason::DOMAIN)
                .at_side(Side::Server)
        }
        Some(_) if error.is_reset() => Status::cancelled("the call was given up")
            .with_reason(reason::CALLER_GONE)
            .with_domain(reason::DOMAIN)
            .at_side(Side::Client),
        // h2 says this of the streams above the last one that the peer takes, and of no other.
        Some(why) if error.is_go_away() && error.is_remote() => Status::unavailable(format!(
            "the peer closes the connection and did not take the call: {why:?}"
        ))
        .with_reason(reason::DRAINING)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Server)
        .not_processed(),
        _ if error.is_io() || error.is_go_away() => Status::unavailable("the connection was lost")
            .with_reason(reason::CONNECTION_LOST)
            .with_domain(reason::DOMAIN)
            .at_side(Side::Network),
        _ => Status::internal("the stream was used after its end").at_side(Side::Client),
    }
}

fn gone(side: Side) -> Status {
    Status::cancelled("the caller went away")
        .with_reason(reason::CALLER_GONE)
        .with_domain(reason::DOMAIN)
        .at_side(side)
}
