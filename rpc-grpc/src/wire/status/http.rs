//! What an HTTP status means where `grpc-status` is missing: somebody between the peers answered, or one that is no
//! gRPC server.

use http::StatusCode;
use rpc_core::{
    Code, Status,
    status::{Side, reason},
};

/// The status of a call that was answered with an HTTP status only. For clients.
pub(crate) fn from_http(http: StatusCode) -> Status {
    let code = match http.as_u16() {
        400 | 431 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!(
            "the answer has no `grpc-status`; its HTTP status is {}",
            http.as_u16()
        ),
    )
    .with_reason(reason::PROTOCOL_BROKEN)
    .with_domain(reason::DOMAIN)
    .at_side(Side::Server)
}
