//! How a call failed, as an ERROR carries it: the code in the head, the status' metadata, then `u32` length of the text,
//! the text, and an encoded `google.rpc.Status` with reason, details and facts, as gRPC sends it.

use bytes::{BufMut, BytesMut};
use rpc_core::{Code, Method, Status, status::Side};

use super::{head::Head, metadata};

/// The longest text, and the most of details, that are sent. Details that do not fit are left out first.
const MAX_TEXT_BYTES: usize = 8 << 10;
const MAX_DETAILS_BYTES: usize = 32 << 10;

/// Appends what follows the head; answers how much of it is metadata.
pub(crate) fn append(status: &Status, metadata_limit: usize, out: &mut BytesMut) -> u16 {
    let start = out.len();
    // A failure is worth more than its metadata: what is too large stays here.
    let limit = metadata_limit.min(usize::from(u16::MAX));
    if metadata::check_entries([status.metadata()], limit).is_ok() {
        metadata::append(status.metadata(), out);
    }
    let metadata = (out.len() - start) as u16;
    let text = status.message();
    let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    out.put_u32_le(text.len() as u32);
    out.extend_from_slice(text.as_bytes());
    if let Some(details) = status.encode_details(MAX_DETAILS_BYTES) {
        out.extend_from_slice(&details);
    }
    metadata
}

/// Reads what follows the head of an ERROR. What is malformed is left out: the code always arrives. With the method that was
/// called, it may say that it was not begun.
pub(crate) fn read(head: &Head, payload: &[u8], called: Option<&Method>) -> Status {
    let code = Code::from_u32(u32::from(head.extra));
    let (metadata, rest) = payload
        .split_at_checked(usize::from(head.metadata))
        .unwrap_or((&[], &[]));
    let (text, details) = rest
        .split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize))
        .unwrap_or((&[], &[]));
    let mut status = Status::new(code, String::from_utf8_lossy(text).into_owned()).at_side(Side::Server);
    if let Some(method) = called {
        status = status.at_method(method);
    }
    if !details.is_empty() {
        status = status.with_decoded_details(details);
    }
    match metadata::read(metadata) {
        Ok(metadata) => status.with_metadata(metadata),
        Err(_) => status,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_that_a_status_says_arrives() {
        let mut status = Status::resource_exhausted("zu \u{263a} viel")
            .with_reason("TOO_MUCH")
            .with_domain("shop")
            .with_parameter("sku", "1")
            .overload()
            .at_method(&Method::unknown("/shop.v1.Cart/Add"))
            .not_processed()
            .with_pushback(Duration::from_millis(250));
        status.metadata_mut().insert("x-why", "full").unwrap();
        let mut bytes = BytesMut::new();
        let metadata = append(&status, 1024, &mut bytes);
        let head = Head {
            extra: status.code() as u16,
            metadata,
            ..Head::default()
        };
        assert!(
            read(&head, &bytes, None).was_processed(),
            "nobody knows what was called"
        );
        let elsewhere = Method::unknown("/shop.v1.Cart/Clear");
        assert!(read(&head, &bytes, Some(&elsewhere)).was_processed());
        let read = read(&head, &bytes, Some(&Method::unknown("/shop.v1.Cart/Add")));
        assert_eq!((read.code(), read.message()), (status.code(), status.message()));
        assert_eq!((read.reason(), read.domain()), (Some("TOO_MUCH"), Some("shop")));
        assert!(read.is_overload() && !read.was_processed());
        assert_eq!(read.pushback(), Some(Duration::from_millis(250)));
        assert_eq!(read.metadata(), status.metadata());
        assert_eq!(read.place().side(), Some(Side::Server));
    }

    proptest! {
        #[test]
        fn reads_anything(code: u16, metadata in 0..40u16, payload in prop::collection::vec(any::<u8>(), 0..100)) {
            let head = Head { extra: code, metadata, ..Head::default() };
            let _ = read(&head, &payload, None);
        }
    }
}
