//! From the head of an HTTP request to a call, or to a refusal.
//!
//! Everything is checked before a handler is looked for, and nothing of it waits. What cannot be a gRPC request gets an
//! HTTP status that says so; what is one, but not for us, gets a status of gRPC's. Either way the connection lives on.

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, request::Parts};
use rpc_core::{
    Body, Call, Context, Deadline, Metadata, Method, MethodDescriptor, Status,
    context::Expiry,
    message::{Incoming, ReceivedCompressed},
    server::Resolved,
    status::reason,
};
use tokio::time::Instant;

use super::{conn::Conn, refusal::Refusal};
use crate::wire::{
    compress::{self, Coding, Compression},
    content_type,
    frame::Decoder,
    headers,
    timeout::{self, InvalidTimeout},
};

/// A request that may be given to its handler.
pub(super) struct Admitted {
    pub(super) head: CallHead,
    pub(super) decoder: Decoder,
    pub(super) answer: AnswerForm,
}

/// A call without its messages.
pub(super) struct CallHead {
    method: Resolved,
    codec: Cow<'static, str>,
    context: Context,
    metadata: Metadata,
    /// Tells the handler how each message came, where any may be compressed.
    received: Option<ReceivedCompressed>,
}

/// How the caller wants to be answered.
#[derive(Debug, Clone)]
pub(super) struct AnswerForm {
    pub(super) content_type: HeaderValue,
    /// The compression that both sides know and the configuration prefers.
    pub(super) compression: Option<Compression>,
    /// How many bytes a failure may take, with its metadata.
    pub(super) metadata_limit: u32,
}

impl CallHead {
    pub(super) fn method(&self) -> &Method {
        self.method.method()
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.context.deadline()
    }

    /// True if either side sends a stream.
    pub(super) fn is_stream(&self) -> bool {
        is_stream(self.method())
    }

    /// The call, with messages to read.
    pub(super) fn into_call(self, messages: &mut dyn Incoming) -> Call<'_> {
        let mut call = self
            .method
            .call(self.codec, self.context, Body::Arriving(messages));
        call.metadata = self.metadata;
        if let Some(received) = self.received {
            call.extensions.insert(received);
        }
        call
    }
}

/// Checks a request, whose time runs from when it arrived.
pub(super) fn admit(
    conn: &Conn,
    head: Parts,
    arrived: Instant,
    now: Instant,
) -> Result<Admitted, Box<Refusal>> {
    let Parts {
        method: http_method,
        uri,
        headers: fields,
        ..
    } = head;
    if http_method != HttpMethod::POST {
        return Err(Refusal::http(StatusCode::METHOD_NOT_ALLOWED, "a gRPC request is a POST").into());
    }
    let known = Known::of(&fields);
    let Some(content_type) = known.content_type else {
        return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, NOT_GRPC).into());
    };
    let Ok(subtype) = content_type::parse(content_type) else {
        return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, NOT_GRPC).into());
    };
    let refusal = |status: Status| {
        let status = status.at_method(&Method::unknown(uri.path())).not_processed();
        Refusal::grpc(
            &status,
            conn.config.max_metadata_bytes,
            content_type::answer(subtype),
        )
    };
    let malformed = |what: Status| Box::new(refusal(what).with_http(StatusCode::BAD_REQUEST));
    if let Some(te) = known.te.filter(|te| *te != "trailers") {
        // Its absence is forgiven: some proxies drop it although they pass trailers on.
        return Err(malformed(broken(format!("`te` is {te:?}, not `trailers`"))));
    }
    if known.hosts > 1 {
        return Err(malformed(broken("there are two `host` headers")));
    }
    if known.has_connection {
        return Err(malformed(broken("HTTP/2 has no `connection` header")));
    }
    let Ok(deadline) = deadline(known.timeout, arrived) else {
        return Err(malformed(broken("`grpc-timeout` is malformed")));
    };
    if let Err(status) = headers::check(known.size, conn.config.max_metadata_bytes as usize) {
        return Err(refusal(status).into());
    }
    let coding = match Coding::parse(known.encoding) {
        Coding::Identity => None,
        Coding::Known(compression) => Some(compression),
        Coding::Unknown => {
            return Err(refusal(unknown_coding()).with_accepted_codings().into());
        }
    };
    if deadline.is_some_and(|deadline| deadline.instant() <= now) {
        return Err(refusal(Expiry::status()).into());
    }
    let answer = AnswerForm {
        content_type: content_type::answer(subtype),
        compression: compression(known.accept_encoding, conn.config.compression),
        metadata_limit: conn.config.max_metadata_bytes,
    };
    let method = conn.dispatch.resolve(uri.path());
    let codec = codec_name(method.method(), subtype.codec());
    let metadata = headers::take_metadata(fields).map_err(|status| {
        let status = status.at_method(method.method()).not_processed();
        Refusal::grpc(&status, answer.metadata_limit, answer.content_type.clone())
    })?;
    let context = Context::new()
        .with_deadline(deadline)
        .with_caller(Arc::clone(&conn.caller))
        .extract(&metadata);
    let mut decoder = Decoder::new(conn.config.max_message_bytes, coding);
    let received = coding.map(|_| ReceivedCompressed::new());
    if let Some(received) = &received {
        decoder = decoder.observed_by(received.clone());
    }
    let head = CallHead {
        method,
        codec,
        context,
        metadata,
        received,
    };
    Ok(Admitted {
        head,
        decoder,
        answer,
    })
}

/// What the protocol says in headers: each at its first value.
#[derive(Default)]
struct Known<'h> {
    content_type: Option<&'h HeaderValue>,
    te: Option<&'h HeaderValue>,
    timeout: Option<&'h HeaderValue>,
    encoding: Option<&'h HeaderValue>,
    accept_encoding: Option<&'h HeaderValue>,
    hosts: usize,
    has_connection: bool,
    /// Of all headers, as HTTP/2 counts it.
    size: usize,
}

impl<'h> Known<'h> {
    /// Goes through them once: that costs less than to ask for one after the other.
    fn of(fields: &'h HeaderMap) -> Self {
        let mut known = Self::default();
        for (name, value) in fields {
            known.size += headers::entry_size(name, value);
            let first = match name.as_str() {
                "content-type" => &mut known.content_type,
                "te" => &mut known.te,
                "grpc-timeout" => &mut known.timeout,
                "grpc-encoding" => &mut known.encoding,
                "grpc-accept-encoding" => &mut known.accept_encoding,
                "host" => {
                    known.hosts += 1;
                    continue;
                }
                "connection" => {
                    known.has_connection = true;
                    continue;
                }
                _ => continue,
            };
            first.get_or_insert(value);
        }
        known
    }
}

/// The deadline of a request with that `grpc-timeout`, which arrived then.
pub(super) fn deadline(
    timeout: Option<&HeaderValue>,
    arrived: Instant,
) -> Result<Option<Deadline>, InvalidTimeout> {
    let timeout = timeout.map(timeout::parse).transpose()?;
    Ok(timeout.map(|timeout| Deadline::at(arrived + timeout.min(FOREVER))))
}

/// True if either side of a method sends a stream.
pub(super) fn is_stream(method: &MethodDescriptor) -> bool {
    let shape = method.shape();
    shape.streams_requests() || shape.streams_responses()
}

const NOT_GRPC: &str = "this port speaks gRPC: the content-type must be `application/grpc`, or begin with \
                        `application/grpc+`";

/// More than anybody waits, and little enough that no addition overflows: 100 years.
const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

/// The compression of a reply: the preferred one if the client can inflate it, else any that it can.
fn compression(accepted: Option<&HeaderValue>, preferred: Option<Compression>) -> Option<Compression> {
    if *accepted? == compress::accepted() {
        // A peer like us.
        return preferred.or(Compression::ALL.first().copied());
    }
    preferred
        .into_iter()
        .chain(Compression::ALL.iter().copied())
        .find(|compression| compress::accepts(accepted, *compression))
}

/// The codec's name, as the method's own static text where it is one of its codecs.
fn codec_name(method: &MethodDescriptor, name: &str) -> Cow<'static, str> {
    match method.codec_names().iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(*known),
        None if name == content_type::DEFAULT_SUBTYPE => Cow::Borrowed(content_type::DEFAULT_SUBTYPE),
        None => Cow::Owned(name.to_owned()),
    }
}

fn broken(text: impl Into<Cow<'static, str>>) -> Status {
    Status::internal(text)
        .with_reason(reason::PROTOCOL_BROKEN)
        .with_domain(reason::DOMAIN)
}

fn unknown_coding() -> Status {
    Status::unimplemented("`grpc-encoding` names a compression that is not known here")
        .with_reason(reason::COMPRESSION_UNKNOWN)
        .with_domain(reason::DOMAIN)
}
