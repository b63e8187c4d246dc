use bytes::BytesMut;

use super::*;
use crate::{Code, status::reason};

fn deflated(compression: Compression, message: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::from(&b"head"[..]);
    compression
        .deflate(message, &mut out)
        .expect("it can be compressed");
    assert_eq!(out[..4], *b"head");
    out[4..].to_vec()
}

#[test]
fn inflates_what_it_deflated() {
    for compression in Compression::ALL {
        for message in [vec![], vec![b'a'], vec![7; 100_000]] {
            let compressed = deflated(*compression, &message);
            let inflated = compression
                .inflate(&compressed, message.len())
                .expect("it is well-formed");
            assert_eq!(inflated, message, "{compression:?}");
        }
    }
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    for compression in Compression::ALL {
        let bomb = deflated(*compression, &vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000, "{compression:?}: {}", bomb.len());
        let status = compression.inflate(&bomb, 1 << 20).expect_err("it is too large");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::ResourceExhausted, Some(reason::MESSAGE_TOO_LARGE))
        );
    }
}

#[test]
fn what_is_cut_off_or_malformed_is_refused() {
    for compression in Compression::ALL {
        let whole = deflated(*compression, b"some text that is compressed");
        for end in 0..whole.len() {
            let status = compression
                .inflate(&whole[..end], 1000)
                .expect_err("it is cut off");
            assert_eq!(status.code(), Code::Internal, "{compression:?} after {end}");
        }
        let mut more = whole.clone();
        more.extend_from_slice(b"more");
        assert_eq!(
            compression.inflate(&more, 1000).expect_err("more follows").code(),
            Code::Internal
        );
        assert_eq!(
            compression
                .inflate(b"not compressed", 1000)
                .expect_err("no")
                .code(),
            Code::Internal
        );
    }
}

#[cfg(feature = "gzip")]
#[test]
fn reads_the_gzip_of_others() {
    // `printf hello | gzip -n`
    let hello = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    assert_eq!(
        Compression::Gzip.inflate(hello, 5).expect("it is well-formed"),
        "hello"
    );
}

#[cfg(feature = "zstd")]
mod zstd_frames {
    use std::io::Write;

    use super::*;

    /// A frame that does not say how large its content is.
    fn of_unknown_size(message: &[u8]) -> Vec<u8> {
        let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 3).expect("the level is legal");
        encoder.write_all(message).expect("it is memory");
        encoder.finish().expect("it is memory")
    }

    #[test]
    fn content_of_unknown_size_is_inflated_and_bounded() {
        let message = vec![9; 300_000];
        let compressed = of_unknown_size(&message);
        assert_eq!(
            Compression::Zstd.inflate(&compressed, 300_000).expect("it fits"),
            message
        );
        let status = Compression::Zstd
            .inflate(&compressed, 299_999)
            .expect_err("it is too large");
        assert_eq!(status.code(), Code::ResourceExhausted);
    }

    #[test]
    fn a_claimed_size_is_not_allocated() {
        // A single segment with eight bytes of content size, all ones, and nothing behind them.
        let claim = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &[0xff; 8]].concat();
        let status = Compression::Zstd
            .inflate(&claim, 1 << 20)
            .expect_err("it claims too much");
        assert!(matches!(status.code(), Code::ResourceExhausted | Code::Internal));
    }

    #[test]
    fn several_frames_are_one_message() {
        let mut frames = deflated(Compression::Zstd, &[1; 10]);
        frames.extend(deflated(Compression::Zstd, &[2; 9_000]));
        let inflated = Compression::Zstd.inflate(&frames, 9_010).expect("it fits");
        assert_eq!(inflated.len(), 9_010);
        assert_eq!(
            Compression::Zstd.inflate(&frames, 9_009).expect_err("no").code(),
            Code::ResourceExhausted
        );
    }
}
