use std::task::{Context as Poller, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;
use rpc_core::{
    Code, Status,
    codec::{Codec, CodecError, Decode, Encode, MessageCodec},
    message::{Outgoing, Typed},
    status::reason,
};

use super::*;
use crate::wire::compress::Compression;

const PLAIN: Encoder = Encoder {
    compression: None,
    limit_bytes: 1 << 20,
};

/// Bytes as they are.
enum Raw {}

impl Codec for Raw {
    const NAME: &'static str = "raw";
}

impl Encode<Vec<u8>> for Raw {
    fn encode(value: &Vec<u8>, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        if value == b"bad" {
            Err(CodecError::new("bad"))
        } else {
            Ok(())
        }
    }

    fn encoded_len(value: &Vec<u8>) -> Option<usize> {
        // Both ways are tested.
        value.len().is_multiple_of(2).then_some(value.len())
    }
}

impl Decode<Vec<u8>> for Raw {
    fn decode(bytes: Bytes) -> Result<Vec<u8>, CodecError> {
        Ok(bytes.to_vec())
    }
}

fn typed(message: &[u8]) -> Typed<Vec<u8>> {
    Typed::new(message.to_vec(), MessageCodec::of::<Raw>())
}

fn encoded(messages: &[Vec<u8>], encoder: Encoder) -> Bytes {
    let mut out = BytesMut::new();
    for message in messages {
        encode_value(&typed(message), encoder, &mut out).expect("it is within the limit");
    }
    out.freeze()
}

/// All messages of DATA that comes in these pieces.
fn decoded(
    pieces: impl IntoIterator<Item = Bytes>,
    limit_bytes: usize,
    compression: Option<Compression>,
) -> Result<Vec<Bytes>, Status> {
    let mut decoder = Decoder::new(limit_bytes, compression);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(message) = decoder.next()? {
            messages.push(message);
        }
    }
    decoder.finish().map(|()| messages)
}

fn failure(bytes: &'static [u8], limit_bytes: usize) -> Status {
    decoded([Bytes::from_static(bytes)], limit_bytes, None).expect_err("it is malformed")
}

#[test]
fn golden_bytes() {
    assert_eq!(
        encoded(&[b"abc".to_vec(), vec![]], PLAIN)[..],
        *b"\0\0\0\0\x03abc\0\0\0\0\0"
    );
    let mut data = frame_encoded(Bytes::from_static(b"abc"), PLAIN).expect("within the limit");
    assert_eq!(data.copy_to_bytes(data.len())[..], *b"\0\0\0\0\x03abc");
}

#[test]
fn a_message_within_one_piece_is_not_copied() {
    let stream = encoded(&[vec![7; 100], vec![8; 50]], PLAIN);
    let messages = decoded([stream.clone()], 1000, None).expect("it is well-formed");
    assert_eq!(messages[0].as_ptr(), stream[5..].as_ptr());
    assert_eq!(messages[1].as_ptr(), stream[110..].as_ptr());
}

#[test]
fn a_message_that_is_encoded_already_is_not_copied() {
    let message = Bytes::from(vec![1; 1 << 16]);
    let mut data = frame_encoded(message.clone(), PLAIN).expect("within the limit");
    let head = data.split_to(5 + 1000);
    assert_eq!(head.len(), 1005);
    assert_eq!(data.len(), (1 << 16) - 1000);
    assert_eq!(data.chunk().as_ptr(), message[1000..].as_ptr());
}

#[test]
fn an_unknown_flag_is_refused() {
    let status = failure(b"\x02\0\0\0\x01a", 10);
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Internal, Some(reason::PROTOCOL_BROKEN))
    );
}

#[test]
fn a_compressed_message_without_a_coding_is_refused() {
    assert_eq!(failure(b"\x01\0\0\0\x01a", 10).code(), Code::Internal);
}

#[test]
fn a_length_above_the_limit_is_refused_before_the_message_comes() {
    let status = failure(b"\0\xff\xff\xff\xff", 1 << 20);
    assert_eq!(
        (status.code(), status.reason()),
        (Code::ResourceExhausted, Some(reason::MESSAGE_TOO_LARGE))
    );
    assert_eq!(failure(b"\0\0\0\0\x0b", 10).code(), Code::ResourceExhausted);
}

#[test]
fn a_message_of_just_the_limit_passes() {
    let stream = encoded(&[vec![1; 10]], PLAIN);
    assert_eq!(
        decoded([stream], 10, None).expect("it is within the limit").len(),
        1
    );
}

#[test]
fn an_end_within_a_message_is_refused() {
    for end in 1..8 {
        let stream = encoded(&[b"abc".to_vec()], PLAIN).slice(..end);
        assert_eq!(
            decoded([stream], 10, None).expect_err("it is cut off").code(),
            Code::Internal,
            "after {end}"
        );
    }
}

#[test]
fn what_cannot_be_encoded_leaves_the_buffer_as_it_was() {
    let mut out = BytesMut::from(&b"before"[..]);
    let status = encode_value(&typed(b"bad"), PLAIN, &mut out).expect_err("the codec refuses it");
    assert_eq!(status.reason(), Some(reason::MESSAGE_UNENCODABLE));
    let tiny = Encoder {
        compression: None,
        limit_bytes: 2,
    };
    for message in [&b"odd"[..], b"even"] {
        let status = encode_value(&typed(message), tiny, &mut out).expect_err("it is too large");
        assert_eq!(status.reason(), Some(reason::MESSAGE_TOO_LARGE));
    }
    assert_eq!(
        frame_encoded(Bytes::from_static(b"odd"), tiny)
            .expect_err("too large")
            .code(),
        Code::ResourceExhausted
    );
    assert_eq!(out[..], *b"before");
}

#[test]
fn a_stream_is_framed_message_by_message() {
    struct Script(Vec<Poll<Option<Result<(), Status>>>>);
    impl Outgoing for Script {
        fn poll_encode(
            &mut self,
            _: &mut Poller<'_>,
            out: &mut BytesMut,
        ) -> Poll<Option<Result<(), Status>>> {
            out.extend_from_slice(b"xy");
            self.0.remove(0)
        }
        fn as_any(&mut self) -> &mut dyn std::any::Any {
            self
        }
    }
    let mut script = Script(vec![
        Poll::Ready(Some(Ok(()))),
        Poll::Pending,
        Poll::Ready(Some(Err(Status::aborted("no")))),
        Poll::Ready(None),
    ]);
    let mut out = BytesMut::new();
    let mut next = |out: &mut BytesMut| {
        encode_next(
            &mut script,
            &mut Poller::from_waker(Waker::noop()),
            PLAIN,
            None,
            out,
        )
    };
    assert!(matches!(next(&mut out), Poll::Ready(Some(Ok(())))));
    assert!(next(&mut out).is_pending());
    assert!(matches!(next(&mut out), Poll::Ready(Some(Err(_)))));
    assert!(matches!(next(&mut out), Poll::Ready(None)));
    assert_eq!(out[..], *b"\0\0\0\0\x02xy");
}

#[test]
fn compresses_what_shrinks_and_nothing_else() {
    for compression in Compression::ALL {
        let encoder = Encoder {
            compression: Some(*compression),
            ..PLAIN
        };
        let messages = [vec![0; 4000], b"tiny".to_vec(), vec![]];
        let stream = encoded(&messages, encoder);
        assert_eq!(stream[0], 1);
        assert!(stream.len() < 400);
        assert_eq!(stream[stream.len() - 14..], *b"\0\0\0\0\x04tiny\0\0\0\0\0");
        assert_eq!(
            decoded([stream], 4000, Some(*compression)).expect("well-formed"),
            messages
        );

        let data = frame_encoded(Bytes::from(vec![0; 4000]), encoder).expect("within the limit");
        assert!(data.len() < 400);
    }
}

#[test]
fn the_limit_counts_what_is_inflated() {
    for compression in Compression::ALL {
        let encoder = Encoder {
            compression: Some(*compression),
            ..PLAIN
        };
        let stream = encoded(&[vec![0; 4001]], encoder);
        let status = decoded([stream], 4000, Some(*compression)).expect_err("too large");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::ResourceExhausted, Some(reason::MESSAGE_TOO_LARGE))
        );
    }
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_messages(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        cuts in prop::collection::vec(0..2500_usize, 0..12),
        coding in 0..=Compression::ALL.len(),
    ) {
        let compression = Compression::ALL.get(coding).copied();
        let mut rest = encoded(&messages, Encoder { compression, ..PLAIN });
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(rest.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(rest.split_to(cut - start));
            start = cut;
        }
        pieces.push(rest);
        prop_assert_eq!(decoded(pieces, 300, compression).expect("it is well-formed"), messages);
    }

    #[test]
    fn reads_anything(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10),
        coding in 0..=Compression::ALL.len(),
    ) {
        let compression = Compression::ALL.get(coding).copied();
        if let Ok(messages) = decoded(pieces.into_iter().map(Bytes::from), 64, compression) {
            prop_assert!(messages.iter().all(|message| message.len() <= 64));
        }
    }

    #[test]
    fn data_is_the_same_however_it_is_cut(
        message in prop::collection::vec(any::<u8>(), 0..50),
        cuts in prop::collection::vec(0..20_usize, 0..10),
    ) {
        let expected = encoded(std::slice::from_ref(&message), PLAIN);
        let mut data = frame_encoded(message.into(), PLAIN).expect("within the limit");
        let mut collected = BytesMut::new();
        for (i, cut) in cuts.into_iter().enumerate() {
            let cut = cut.min(data.len());
            let mut piece = data.split_to(cut);
            prop_assert_eq!(piece.len(), cut);
            match i % 3 {
                0 => collected.extend_from_slice(&piece.copy_to_bytes(cut)),
                1 => while piece.has_remaining() {
                    collected.extend_from_slice(&piece.chunk()[..1]);
                    piece.advance(1);
                },
                _ => {
                    let mut slices = [std::io::IoSlice::new(&[]); 4];
                    let filled = piece.chunks_vectored(&mut slices);
                    slices[..filled].iter().for_each(|slice| collected.extend_from_slice(slice));
                }
            }
        }
        collected.extend_from_slice(&data.copy_to_bytes(data.len()));
        prop_assert_eq!(collected.freeze(), expected);
    }
}
