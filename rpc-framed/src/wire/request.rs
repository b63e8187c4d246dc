//! What a REQUEST has in front of its message.

use rpc_core::Status;

use super::head::{Head, flag};

/// The number of a method that is not remembered: path and codec come with each request.
pub(crate) const UNNUMBERED: u16 = u16::MAX;

/// The longest path, and the longest name of a codec.
pub(crate) const MAX_PATH_BYTES: usize = 1024;
pub(crate) const MAX_CODEC_BYTES: usize = 64;

/// Whether a server can be told of a method.
///
/// # Errors
/// INTERNAL if a name is longer than the format allows.
pub(crate) fn check(path: &str, codec: &str) -> Result<(), Status> {
    let names = [
        ("path of the method", path, MAX_PATH_BYTES),
        ("name of the codec", codec, MAX_CODEC_BYTES),
    ];
    for (what, name, limit) in names {
        let length = name.len();
        if length > limit {
            return Err(Status::internal(format!(
                "the {what} is of {length} bytes, the limit is {limit}"
            )));
        }
    }
    Ok(())
}

/// A request without its message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'b> {
    /// Milliseconds until the caller stops waiting.
    pub(crate) left_ms: Option<u32>,
    pub(crate) definition: Option<Definition<'b>>,
    pub(crate) metadata: &'b [u8],
    /// Where the message begins.
    pub(crate) body: usize,
}

/// What the number of a method stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition<'b> {
    pub(crate) path: &'b str,
    pub(crate) codec: &'b str,
}

/// Reads what follows the head; `None` if it is malformed.
pub(crate) fn read<'b>(head: &Head, payload: &'b [u8]) -> Option<Request<'b>> {
    let mut rest = payload;
    let mut take = |length: usize| {
        let (taken, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(taken)
    };
    let left_ms = if head.has(flag::DEADLINE) {
        Some(u32::from_le_bytes(take(4)?.try_into().ok()?))
    } else {
        None
    };
    let definition = if head.has(flag::DEFINE) {
        let lengths = take(3)?;
        let path = usize::from(u16::from_le_bytes([lengths[1], lengths[2]]));
        let codec = usize::from(lengths[0]);
        if path > MAX_PATH_BYTES || codec > MAX_CODEC_BYTES {
            return None;
        }
        let path = std::str::from_utf8(take(path)?).ok()?;
        let codec = std::str::from_utf8(take(codec)?).ok()?;
        Some(Definition { path, codec })
    } else {
        None
    };
    let metadata = take(usize::from(head.metadata))?;
    Some(Request {
        left_ms,
        definition,
        metadata,
        body: payload.len() - rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_anything(flags: u8, metadata: u16, payload in prop::collection::vec(any::<u8>(), 0..100)) {
            let head = Head { flags, metadata: metadata % 64, ..Head::default() };
            if let Some(request) = read(&head, &payload) {
                prop_assert!(request.body <= payload.len());
                prop_assert_eq!(request.metadata.len(), usize::from(head.metadata));
            }
        }
    }
}
