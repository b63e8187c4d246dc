//! Compression of single messages. A compressed message begins with one byte that says how.

#[cfg(feature = "gzip")]
use std::io::{self, Write};

use bytes::Bytes;
use rpc_core::{Status, status::reason};

/// How messages are compressed. Which of these a build knows is a matter of its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip, by `flate2`.
    #[cfg(feature = "gzip")]
    Gzip,
}

impl Compression {
    /// All that this build knows, in the order of preference.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "gzip")]
        Self::Gzip,
    ];

    /// Its name, as a call asks for it: `gzip`.
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => "gzip",
        }
    }

    /// The compression of that name, if this build knows it. `identity` is none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.name() == name)
    }

    /// Its number on the wire.
    pub(crate) const fn number(self) -> u8 {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => 1,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.number() == number)
    }

    /// The message as it goes over the wire, its number in front.
    pub(crate) fn deflate(self, message: &[u8]) -> Result<Bytes, Status> {
        let _ = message;
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(vec![self.number()], flate2::Compression::default());
                let packed = encoder.write_all(message).and_then(|()| encoder.finish());
                packed.map(Bytes::from).map_err(|error| {
                    Status::internal("the message could not be compressed as gzip")
                        .with_reason(reason::MESSAGE_UNENCODABLE)
                        .with_domain(reason::DOMAIN)
                        .with_source(error)
                })
            }
        }
    }
}

/// What this build can undo, for the preface.
pub(crate) fn accepted() -> Vec<u8> {
    Compression::ALL.iter().map(|known| known.number()).collect()
}

/// The message inside of a compressed one.
///
/// # Errors
/// UNIMPLEMENTED if it is compressed in a way that was not announced, RESOURCE_EXHAUSTED if it is larger than the limit,
/// INTERNAL if it is malformed.
pub(crate) fn inflate(message: &[u8], limit: usize) -> Result<Bytes, Status> {
    let _ = limit;
    let how = message
        .split_first()
        .map(|(number, rest)| (Compression::of_number(*number), rest));
    match how {
        #[cfg(feature = "gzip")]
        Some((Some(Compression::Gzip), packed)) => gunzip(packed, limit),
        _ => Err(
            Status::unimplemented("the message is compressed in a way that is not known here")
                .with_reason(reason::COMPRESSION_UNKNOWN)
                .with_domain(reason::DOMAIN),
        ),
    }
}

#[cfg(feature = "gzip")]
fn gunzip(packed: &[u8], limit: usize) -> Result<Bytes, Status> {
    let expected = packed.len().saturating_mul(3).min(limit);
    let mut decoder = flate2::write::GzDecoder::new(Bounded {
        bytes: Vec::with_capacity(expected),
        limit,
        overflown: false,
    });
    // Nothing may follow the one member: `write_all` fails if the decoder takes no more.
    let written = decoder.write_all(packed).and_then(|()| decoder.try_finish());
    let bounded = decoder.get_mut();
    if bounded.overflown {
        return Err(super::too_large(limit));
    }
    match written {
        Ok(()) => Ok(std::mem::take(&mut bounded.bytes).into()),
        Err(error) => Err(Status::internal("the message does not inflate as gzip")
            .with_reason(reason::MESSAGE_MALFORMED)
            .with_domain(reason::DOMAIN)
            .with_source(error)),
    }
}

/// Bytes up to a limit: a few that stand for gigabytes cost what the limit allows.
#[cfg(feature = "gzip")]
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    overflown: bool,
}

#[cfg(feature = "gzip")]
impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.limit {
            self.overflown = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use super::*;

    #[test]
    fn goes_both_ways_and_meets_its_limit() {
        let message = vec![7; 100_000];
        let packed = Compression::Gzip.deflate(&message).unwrap();
        assert!(packed.len() < 1000);
        assert_eq!(inflate(&packed, 100_000).unwrap(), message);
        let status = inflate(&packed, 99_999).unwrap_err();
        assert_eq!(status.reason(), Some(reason::MESSAGE_TOO_LARGE));
        let status = inflate(&packed[..20], 100_000).unwrap_err();
        assert_eq!(status.reason(), Some(reason::MESSAGE_MALFORMED));
        let status = inflate(&[99, 1], 10).unwrap_err();
        assert_eq!(status.reason(), Some(reason::COMPRESSION_UNKNOWN));
    }
}
