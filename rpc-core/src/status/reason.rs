//! The reasons that this framework gives, all in the domain [`DOMAIN`].

/// The domain of the reasons in this module.
pub const DOMAIN: &str = "rpc";

/// No service of that name is offered here. Not processed.
pub const SERVICE_UNKNOWN: &str = "SERVICE_UNKNOWN";
/// The service has no method of that name. Not processed.
pub const METHOD_UNKNOWN: &str = "METHOD_UNKNOWN";
/// The method is not offered in the codec that was asked for. Not processed.
pub const CODEC_UNKNOWN: &str = "CODEC_UNKNOWN";
/// The request is compressed in a way that the server does not know. Not processed.
pub const COMPRESSION_UNKNOWN: &str = "COMPRESSION_UNKNOWN";
/// A message does not decode.
pub const MESSAGE_MALFORMED: &str = "MESSAGE_MALFORMED";
/// A message could not be encoded.
pub const MESSAGE_UNENCODABLE: &str = "MESSAGE_UNENCODABLE";
/// A message is larger than the limit.
pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
/// Metadata is larger than the limit.
pub const METADATA_TOO_LARGE: &str = "METADATA_TOO_LARGE";
/// Metadata does not decode.
pub const METADATA_MALFORMED: &str = "METADATA_MALFORMED";
/// Zero or several messages came where exactly one is due.
pub const MESSAGE_COUNT: &str = "MESSAGE_COUNT";
/// No reason of its own: it carries what the next hop must know of a failure whose reason is somebody else's. It is on
/// the wire only; see [`details`](super::details).
pub const HOP: &str = "HOP";
/// The handler panicked.
pub const HANDLER_PANICKED: &str = "HANDLER_PANICKED";
/// What runs the handlers dropped the handler before it was done.
pub const HANDLER_DROPPED: &str = "HANDLER_DROPPED";
/// The deadline passed.
pub const DEADLINE_PASSED: &str = "DEADLINE_PASSED";
/// The caller gave the call up.
pub const CALLER_GONE: &str = "CALLER_GONE";
/// No connection could be made. Not processed.
pub const CONNECT_FAILED: &str = "CONNECT_FAILED";
/// The connection broke while the call was under way.
pub const CONNECTION_LOST: &str = "CONNECTION_LOST";
/// The peer is shutting down and did not take the call. Not processed.
pub const DRAINING: &str = "DRAINING";
/// The peer reset the stream.
pub const STREAM_RESET: &str = "STREAM_RESET";
/// The peer broke the protocol.
pub const PROTOCOL_BROKEN: &str = "PROTOCOL_BROKEN";
/// The target has no endpoint. Not processed.
pub const NO_ENDPOINT: &str = "NO_ENDPOINT";
/// The target has endpoints, and none of them is one that the request may go to: a router left none. Not processed.
pub const NO_ENDPOINT_AFTER_ROUTER: &str = "NO_ENDPOINT_AFTER_ROUTER";
/// A rule of the client's made the call fail, to see what becomes of it. Nothing was sent.
pub const FAULT_INJECTED: &str = "FAULT_INJECTED";
/// The channel was closed. Not processed.
pub const CHANNEL_CLOSED: &str = "CHANNEL_CLOSED";
/// A blocking call was made inside of async code. Nothing was sent.
pub const BLOCKING_IN_ASYNC: &str = "BLOCKING_IN_ASYNC";
