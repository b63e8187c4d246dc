//! Compression of single messages. A compressed message begins with one byte that says how.

use bytes::{BufMut, Bytes, BytesMut};
pub use rpc_core::compress::Compression;
use rpc_core::{Status, status::reason};

/// The number of a compression on the wire. Numbers are for ever.
pub(crate) fn number(compression: Compression) -> u8 {
    match compression.name() {
        "gzip" => 1,
        "zstd" => 2,
        // One that this protocol does not know yet is never announced, and so never asked for.
        _ => 0,
    }
}

fn of_number(wanted: u8) -> Option<Compression> {
    let known = Compression::ALL.iter().copied();
    known
        .filter(|known| number(*known) != 0)
        .find(|known| number(*known) == wanted)
}

/// The message as it goes over the wire, its number in front.
pub(crate) fn deflate(compression: Compression, message: &[u8]) -> Result<Bytes, Status> {
    let mut packed = BytesMut::new();
    packed.put_u8(number(compression));
    compression.deflate(message, &mut packed)?;
    Ok(packed.freeze())
}

/// What this build can undo, for the preface: best first.
pub(crate) fn accepted() -> Vec<u8> {
    let known = Compression::ALL.iter().map(|known| number(*known));
    known.filter(|number| *number != 0).collect()
}

/// Of the numbers of compressions, those that this build has, once each.
pub(crate) fn known(numbers: &[u8]) -> Vec<u8> {
    let mut known = Vec::new();
    for number in numbers.iter().copied() {
        if of_number(number).is_some() && !known.contains(&number) {
            known.push(number);
        }
    }
    known
}

/// The message inside of a compressed one.
///
/// # Errors
/// UNIMPLEMENTED if it is compressed in a way that was not announced, RESOURCE_EXHAUSTED if it is larger than the limit,
/// INTERNAL if it is malformed.
pub(crate) fn inflate(message: &[u8], limit_bytes: usize) -> Result<Bytes, Status> {
    let known = message
        .split_first()
        .and_then(|(number, packed)| Some((of_number(*number)?, packed)));
    match known {
        Some((compression, packed)) => compression.inflate(packed, limit_bytes),
        None => Err(
            Status::unimplemented("the message is compressed in a way that is not known here")
                .with_reason(reason::COMPRESSION_UNKNOWN)
                .with_domain(reason::DOMAIN),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_both_ways_and_meets_its_limit() {
        for compression in Compression::ALL.iter().copied() {
            let message = vec![7; 100_000];
            let packed = deflate(compression, &message).unwrap();
            assert!(packed.len() < 1000);
            assert_eq!(inflate(&packed, 100_000).unwrap(), message);
            let status = inflate(&packed, 99_999).unwrap_err();
            assert_eq!(status.reason(), Some(reason::MESSAGE_TOO_LARGE));
            let status = inflate(&packed[..10], 100_000).unwrap_err();
            assert_eq!(status.reason(), Some(reason::PROTOCOL_BROKEN));
        }
        let status = inflate(&[99, 1], 10).unwrap_err();
        assert_eq!(status.reason(), Some(reason::COMPRESSION_UNKNOWN));
    }

    #[test]
    fn all_that_are_known_have_a_number() {
        assert_eq!(accepted().len(), Compression::ALL.len());
    }
}
