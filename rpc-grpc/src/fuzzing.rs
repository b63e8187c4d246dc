//! What the fuzz targets in `fuzz/` call: one function a target, which panics if a promise is broken.
//!
//! They are here because the codings are private. No part of the API.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rpc_core::Status;

use crate::wire::{
    compress::{Coding, Compression},
    content_type,
    frame::Decoder,
    headers, names, percent, status,
    timeout::{self, Timeout},
};

/// A small limit, so that the fuzzer meets it.
const LIMIT_BYTES: usize = 4096;

/// Frames, whole and in pieces: both ways of cutting give the same messages, none above the limit.
pub fn frames(input: &[u8]) {
    let [coding, cut, stream @ ..] = input else { return };
    let compression = Compression::ALL.get(usize::from(*coding)).copied();
    let whole = decode([stream], compression);
    let pieces = decode(stream.chunks(usize::from(*cut) + 1), compression);
    assert_eq!(whole, pieces, "the cut of DATA changes what is read");
}

fn decode<'s>(
    pieces: impl IntoIterator<Item = &'s [u8]>,
    compression: Option<Compression>,
) -> (Vec<Bytes>, Option<rpc_core::Code>) {
    let mut decoder = Decoder::new(LIMIT_BYTES, compression);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(Some(message)) => {
                    assert!(message.len() <= LIMIT_BYTES, "a message passes the limit");
                    messages.push(message);
                }
                Ok(None) => break,
                Err(status) => return (messages, Some(status.code())),
            }
        }
    }
    (messages, decoder.finish().err().map(|status| status.code()))
}

/// Headers: whatever is taken as metadata goes out and comes in again as the same.
pub fn metadata(input: &[u8]) {
    let headers = header_map(input);
    if let Some(value) = headers.get(http::header::CONTENT_TYPE)
        && let Ok(subtype) = content_type::parse(value)
    {
        content_type::answer(subtype);
    }
    Coding::parse(headers.get(names::ENCODING));
    let Ok(metadata) = headers::take_metadata(headers) else {
        return;
    };
    let mut sent = HeaderMap::new();
    headers::append_metadata(&metadata, &mut sent);
    assert!(headers::check_size(&sent, headers::size_of(&sent)).is_ok());
    let arrived = headers::take_metadata(sent).expect("what we write is legal");
    assert_eq!(arrived.len(), metadata.len(), "an entry is lost");
    for (key, _) in metadata.iter() {
        assert!(
            metadata.get_all(key.as_str()).eq(arrived.get_all(key.as_str())),
            "a value changed"
        );
    }
}

/// `grpc-timeout` and `grpc-message`: a text is written again so that it reads the same, a time so that it is not shorter.
pub fn text(input: &[u8]) {
    let decoded = percent::decode(input);
    assert_eq!(percent::decode(percent::encode(&decoded).as_bytes()), decoded);
    let Ok(value) = HeaderValue::from_bytes(input) else {
        return;
    };
    if let Ok(left) = timeout::parse(&value) {
        let again = timeout::parse(&Timeout::of(left).value()).expect("what we write is legal");
        assert!(again >= left && again.saturating_sub(left) <= left / 100);
    }
}

/// Trailers with a status and its details: a failure stays the same failure through another hop.
pub fn trailers(input: &[u8]) {
    let mut trailers = header_map(input);
    // The details as the bytes that they are: the fuzzer need not find out about base64.
    if let Some(at) = input.iter().position(|b| *b == 0) {
        trailers.insert(names::STATUS_DETAILS, headers::binary_value(&input[at + 1..]));
    }
    let Err(first) = status::finish(trailers, StatusCode::OK) else {
        return;
    };
    let second = passed_on(&first);
    assert_eq!(second.code(), first.code());
    // A text that was shortened, or details that were left out, have met the limit for good.
    let third = passed_on(&second);
    assert_eq!(third.message(), second.message());
    assert_eq!(third.details().len(), second.details().len());
}

fn passed_on(failure: &Status) -> Status {
    let mut trailers = HeaderMap::new();
    status::write(failure, usize::MAX, &mut trailers);
    status::finish(trailers, StatusCode::OK).expect_err("a failure stays one")
}

/// Lines of `name: value`, of which those that are legal HTTP count.
fn header_map(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|b| *b == b'\n').take(256) {
        let mut parts = line.splitn(2, |b| *b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
            continue;
        };
        headers.append(name, value);
    }
    headers
}
