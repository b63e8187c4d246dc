//! Metadata: entries one after the other, each `u8` length of the key, `u16` length of the value, key, value.

use bytes::{BufMut, BytesMut};
use http::{HeaderName, HeaderValue};
use rpc_core::{
    Metadata, Status,
    metadata::{MetadataKey, MetadataValue},
    status::reason,
};

/// Checks entries before they are sent together. Those whose key the protocol keeps do not go, and take nothing.
///
/// # Errors
/// RESOURCE_EXHAUSTED, reason `METADATA_TOO_LARGE`. It says nothing of whose side it is.
pub(crate) fn check_entries<'m>(
    all: impl IntoIterator<Item = &'m Metadata>,
    limit: usize,
) -> Result<(), Status> {
    let mut bytes = 0;
    for (key, value) in all.into_iter().flat_map(Metadata::iter) {
        let length = key.as_str().len();
        if MetadataKey::is_reserved(key.as_str()) {
            continue;
        }
        if u8::try_from(length).is_err() {
            let limit = u8::MAX;
            return Err(too_large(format!(
                "a key of the metadata is of {length} bytes, the limit is {limit}"
            )));
        }
        bytes += 3 + length + value.len();
    }
    check(bytes, limit)
}

/// Appends the entries, but for those that cannot go.
pub(crate) fn append(metadata: &Metadata, out: &mut BytesMut) {
    for (key, value) in metadata.iter().filter(|(key, value)| goes(key, value)) {
        out.put_u8(key.as_str().len() as u8);
        out.put_u16_le(value.len() as u16);
        out.extend_from_slice(key.as_str().as_bytes());
        match value.as_bytes() {
            Some(bytes) => out.extend_from_slice(&bytes),
            None => out.extend_from_slice(value.as_header().map_or(&[], |value| value.as_bytes())),
        }
    }
}

fn goes(key: &MetadataKey, value: &MetadataValue) -> bool {
    let key = key.as_str();
    u8::try_from(key.len()).is_ok() && u16::try_from(value.len()).is_ok() && !MetadataKey::is_reserved(key)
}

/// Checks a size before so much is taken.
///
/// # Errors
/// RESOURCE_EXHAUSTED, reason `METADATA_TOO_LARGE`. It says nothing of whose side it is.
pub(crate) fn check(bytes: usize, limit: usize) -> Result<(), Status> {
    if bytes <= limit {
        return Ok(());
    }
    Err(too_large(format!(
        "the metadata is of {bytes} bytes, the limit is {limit}"
    )))
}

/// Reads entries.
///
/// # Errors
/// INTERNAL, reason `METADATA_MALFORMED`.
pub(crate) fn read(mut bytes: &[u8]) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    while !bytes.is_empty() {
        let (key, value) = next(&mut bytes).ok_or_else(|| malformed("ends inside of an entry"))?;
        let name = HeaderName::from_lowercase(key).map_err(|_| malformed("has a key that is none"))?;
        if MetadataKey::is_reserved(name.as_str()) {
            continue;
        }
        let value = if name.as_str().ends_with("-bin") {
            MetadataValue::binary(value.to_vec())
        } else {
            let value =
                HeaderValue::from_bytes(value).map_err(|_| malformed("has a value that is no text"))?;
            MetadataValue::from_header(value)
        };
        metadata.push(MetadataKey::from_header(name), value);
    }
    Ok(metadata)
}

fn next<'b>(bytes: &mut &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
    let (lengths, rest) = bytes.split_at_checked(3)?;
    let (key, rest) = rest.split_at_checked(usize::from(lengths[0]))?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([lengths[1], lengths[2]])))?;
    *bytes = rest;
    Some((key, value))
}

fn too_large(text: String) -> Status {
    Status::resource_exhausted(text)
        .with_reason(reason::METADATA_TOO_LARGE)
        .with_domain(reason::DOMAIN)
}

fn malformed(what: &str) -> Status {
    Status::internal(format!("the metadata {what}"))
        .with_reason(reason::METADATA_MALFORMED)
        .with_domain(reason::DOMAIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_bytes_go_and_reserved_keys_do_not() {
        let mut metadata = Metadata::new();
        metadata.append("x-tenant", "acme").unwrap();
        metadata.append("x-tenant", "other").unwrap();
        metadata.append_bin("x-token-bin", b"\xfb\0".as_slice()).unwrap();
        let mut bytes = BytesMut::new();
        append(&metadata, &mut bytes);
        check_entries([&metadata], bytes.len()).expect("it is just that much");
        assert!(check_entries([&metadata], bytes.len() - 1).is_err(), "it is more");
        assert_eq!(read(&bytes).unwrap(), metadata);

        metadata.push(
            MetadataKey::from_header(HeaderName::from_static("grpc-timeout")),
            MetadataValue::from_header(HeaderValue::from_static("1S")),
        );
        let before = bytes.clone();
        bytes.clear();
        append(&metadata, &mut bytes);
        assert_eq!(bytes, before);
        check_entries([&metadata], bytes.len()).expect("what does not go takes nothing");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for bytes in [
            &b"\x01"[..],
            b"\x01\0\0",
            b"\x01\x01\0k",
            b"\x01\0\0K",
            b"\x01\x01\0k\n",
        ] {
            let status = read(bytes).expect_err("malformed");
            assert_eq!(status.reason(), Some(reason::METADATA_MALFORMED));
        }
    }

    proptest! {
        #[test]
        fn reads_anything_and_writes_what_it_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(metadata) = read(&bytes) {
                let mut again = BytesMut::new();
                append(&metadata, &mut again);
                prop_assert_eq!(read(&again).unwrap(), metadata);
            }
        }
    }
}
