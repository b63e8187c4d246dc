//! Trailers as a status.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use rpc_core::{Code, Metadata, Method, Status, status::Side};

use super::from_http;
use crate::wire::{
    headers::{self, check_size, entry_size, take_metadata},
    names, percent,
};

/// Takes the end of a call out of trailers, or out of the headers that are the trailers too.
///
/// `None` if they have no `grpc-status`. What is left is metadata, and what [`take_metadata`] leaves out. With the method that
/// was called, they may say that it was not begun.
pub(super) fn read(trailers: &mut HeaderMap, called: Option<&Method>) -> Option<Result<(), Status>> {
    let code = trailers.get(names::STATUS)?;
    if code == "0" {
        // What else the protocol says is of no use, and no metadata.
        return Some(Ok(()));
    }
    // They stay where they are: they are no metadata, and taking one out would change the order of what is.
    let code = parse_code(code.as_bytes());
    let message = trailers.get(names::MESSAGE);
    let message = message.map_or_else(String::new, |message| percent::decode(message.as_bytes()));
    let encoded = trailers.get(names::STATUS_DETAILS);
    let details = encoded.and_then(|value| headers::binary(value.as_bytes()));
    let mut status = Status::new(code, message).at_side(Side::Server);
    if let Some(method) = called {
        status = status.at_method(method);
    }
    if let Some(pushback) = trailers.remove(names::RETRY_PUSHBACK) {
        status = match parse_pushback(&pushback) {
            Some(pushback) => status.with_pushback(pushback),
            None => status.without_retry(),
        };
    }
    if let Some(bytes) = details {
        status = status.with_decoded_details(&bytes);
    }
    Some(Err(status))
}

/// The whole end of a call, for a client: its trailing metadata, or the status it failed with, which has them.
///
/// Without `grpc-status` the HTTP status decides.
pub(crate) fn finish(trailers: HeaderMap, http: StatusCode) -> Result<Metadata, Status> {
    end(trailers, http, None)
}

/// The same of headers that are the trailers too. Only such an answer can say that the call of the method was not begun.
pub(crate) fn finish_at_once(head: HeaderMap, http: StatusCode, method: &Method) -> Result<Metadata, Status> {
    end(head, http, Some(method))
}

fn end(mut trailers: HeaderMap, http: StatusCode, called: Option<&Method>) -> Result<Metadata, Status> {
    let outcome = read(&mut trailers, called).unwrap_or_else(|| Err(from_http(http)));
    match (outcome, take_metadata(trailers)) {
        (Ok(()), metadata) => metadata,
        (Err(status), Ok(metadata)) => Err(status.with_metadata(metadata)),
        // A failure is worth more than what is wrong with its metadata.
        (Err(status), Err(_)) => Err(status),
    }
}

/// True if trailers, or headers that are the trailers too, say that the call failed.
pub(crate) fn is_failure(trailers: &HeaderMap) -> bool {
    trailers.get(names::STATUS).is_some_and(|code| code != "0")
}

/// Checks the size of trailers, or of headers that are the trailers too. Of a failure that is too large there is kept what says why it
/// failed, as far as that fits: it is worth more than the metadata.
///
/// # Errors
/// As [`check_size`], unless it is a failure.
pub(crate) fn fit(trailers: &mut HeaderMap, limit_bytes: usize) -> Result<(), Status> {
    const KEPT: [HeaderName; 5] = [
        CONTENT_TYPE,
        names::STATUS,
        names::RETRY_PUSHBACK,
        names::MESSAGE,
        names::STATUS_DETAILS,
    ];
    let checked = check_size(trailers, limit_bytes);
    if checked.is_ok() || !is_failure(trailers) {
        return checked;
    }
    let mut room = limit_bytes;
    let kept = KEPT.into_iter().filter_map(|name| {
        let value = trailers.remove(&name)?;
        room = room.checked_sub(entry_size(&name, &value))?;
        Some((name, value))
    });
    *trailers = kept.collect();
    Ok(())
}

/// A code beyond gRPC's is UNKNOWN, as is one that is no number.
fn parse_code(digits: &[u8]) -> Code {
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    number.map_or(Code::Unknown, Code::from_u32)
}

/// `None` forbids to try again: a negative number says so, and so does what is no number.
fn parse_pushback(value: &HeaderValue) -> Option<Duration> {
    value
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_millis)
}
