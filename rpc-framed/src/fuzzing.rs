//! What the fuzz targets in `fuzz/` call: it panics if a promise is broken.
//!
//! It is here because the codings are private. No part of the API.

use bytes::BytesMut;

mod server;

pub use self::server::framed_server;
use crate::{
    stream::Arrival,
    wire::{CallId, HEAD_BYTES, Head, compress, kind, metadata, preface, request, status},
};

/// A small limit, so that the fuzzer meets it.
const LIMIT_BYTES: usize = 4096;

/// Whatever a peer can say: a preface, or frames one after the other.
pub fn framed(input: &[u8]) {
    if let Ok(Some((settings, length))) = preface::decode(input) {
        assert!(length <= input.len(), "a preface is longer than what there is");
        let mut again = BytesMut::new();
        settings.encode(&mut again);
        let read = preface::decode(&again).expect("what we write is legal");
        assert_eq!(read.map(|(settings, _)| settings), Some(settings));
        return;
    }
    let arrival = Arrival::new(LIMIT_BYTES as u32, LIMIT_BYTES);
    let mut rest = input;
    while let Some((head, payload)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let head = Head::decode(head);
        let (payload, after) = payload.split_at(payload.len().min(head.length as usize));
        rest = after;
        if let Some(request) = request::read(&head, payload) {
            assert!(request.body <= payload.len(), "a message begins behind its frame");
            if let Ok(read) = metadata::read(request.metadata) {
                let mut again = BytesMut::new();
                metadata::append(&read, &mut again);
                assert!(metadata::read(&again).expect("what we write is legal") == read);
            }
        }
        let first = status::read(&head, payload, None);
        let mut written = BytesMut::new();
        let length = status::append(&first, usize::from(u16::MAX), &mut written);
        let same = Head {
            metadata: length,
            extra: first.code() as u16,
            ..Head::new(head.kind, CallId::default())
        };
        assert_eq!(status::read(&same, &written, None).code(), first.code());
        if let Ok(message) = compress::inflate(payload, LIMIT_BYTES) {
            assert!(message.len() <= LIMIT_BYTES, "a message passes the limit");
        }
        let piece = bytes::Bytes::copy_from_slice(payload);
        let chunk = Head {
            kind: kind::CHUNK,
            ..head
        };
        if arrival.push(piece, &chunk).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::flag;

    /// A frame that is nearly legal, so that more than heads is met.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let payload = prop::collection::vec(any::<u8>(), 0..60);
        (0..14u8, any::<u8>(), 0..20u16, any::<u16>(), payload).prop_map(
            |(kind, flags, metadata, extra, payload)| {
                let head = Head {
                    length: payload.len() as u32,
                    kind,
                    flags,
                    metadata,
                    extra,
                    ..Head::default()
                };
                let mut bytes = head.encode().to_vec();
                bytes.extend(payload);
                bytes
            },
        )
    }

    /// A frame of one of a few calls, mostly as it should be.
    fn call_frame() -> impl Strategy<Value = Vec<u8>> {
        let payload = prop::collection::vec(any::<u8>(), 0..60);
        let kinds = prop::sample::select(vec![
            kind::REQUEST,
            kind::REQUEST,
            kind::CHUNK,
            kind::CHUNK,
            kind::CHUNK,
            kind::END,
            kind::CANCEL,
            kind::CREDIT,
            kind::PING,
        ]);
        (kinds, 0..16u8, 0..3u32, 0..2u16, 0..4u8, payload).prop_map(
            |(kind, mut flags, slot, generation, method, payload)| {
                let mut all = BytesMut::new();
                if kind == kind::REQUEST {
                    flags |= flag::DEFINE;
                    server::define(method, &mut all);
                }
                all.extend_from_slice(&payload);
                let head = Head {
                    length: all.len() as u32,
                    flags,
                    extra: if kind == kind::REQUEST {
                        request::UNNUMBERED
                    } else {
                        0
                    },
                    ..Head::new(kind, CallId { slot, generation })
                };
                let mut bytes = head.encode().to_vec();
                bytes.extend(all);
                bytes
            },
        )
    }

    proptest! {
        #[test]
        fn anything_is_read(input in prop::collection::vec(any::<u8>(), 0..300)) {
            framed(&input);
        }

        #[test]
        fn frames_are_read(frames in prop::collection::vec(frame(), 0..8)) {
            framed(&frames.concat());
        }

        #[test]
        fn frames_are_served(piece: u8, frames in prop::collection::vec(frame(), 0..30)) {
            framed_server(&[&[piece], &frames.concat()[..]].concat());
        }

        #[test]
        fn calls_are_served(piece: u8, frames in prop::collection::vec(call_frame(), 0..60)) {
            framed_server(&[&[piece], &frames.concat()[..]].concat());
        }
    }
}
