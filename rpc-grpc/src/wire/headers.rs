//! Metadata as HTTP headers, and back.
//!
//! Text goes as it is. Bytes of a `-bin` key go as base64 without padding; both forms are accepted, and a value that an
//! intermediary joined with `,` is taken apart before it is decoded. Keys that the protocol keeps for itself are dropped
//! in both directions.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use rpc_core::{
    Metadata, Status,
    metadata::{MetadataKey, MetadataValue},
    status::reason,
};

/// RFC 4648, section 4: writes no padding, reads either form.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What the names of headers with bytes end in.
const BINARY: &str = "-bin";

/// What HTTP/2 counts for a header besides its name and its value.
const ENTRY_OVERHEAD_BYTES: usize = 32;

/// How many headers there may be with metadata: a map panics at its 24,577th name, and some of the protocol's may follow.
const MAX_HEADERS: usize = 24_000;

/// Makes room for so many more headers, before they are added.
///
/// # Errors
/// As [`check_size`], if a map of headers does not take that many.
pub(crate) fn reserve(headers: &mut HeaderMap, additional: usize) -> Result<(), Status> {
    let count = headers.len() + additional;
    if count > MAX_HEADERS {
        return Err(too_large(format!(
            "with the metadata there are {count} headers, the limit is {MAX_HEADERS}"
        )));
    }
    headers.reserve(additional);
    Ok(())
}

/// Adds metadata to headers, in which there must be [room](reserve). What the protocol keeps for itself is left out.
pub(crate) fn append_metadata(metadata: &Metadata, headers: &mut HeaderMap) {
    for (key, value) in metadata.iter() {
        if MetadataKey::is_reserved(key.as_str()) {
            continue;
        }
        let value = match (value.as_header(), value.as_bytes()) {
            (Some(text), _) => text.clone(),
            (None, Some(bytes)) => binary_value(&bytes),
            (None, None) => continue,
        };
        headers.append(key.as_header(), value);
    }
}

/// The metadata in headers, of which the protocol has read its own.
///
/// # Errors
/// INTERNAL, reason `METADATA_MALFORMED`, if a `-bin` value is not base64.
pub(crate) fn take_metadata(headers: HeaderMap) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    // Most have none, and taking a map apart costs more than a look at its names.
    if headers.keys().all(|name| MetadataKey::is_reserved(name.as_str())) {
        return Ok(metadata);
    }
    let mut name: Option<HeaderName> = None;
    for (next, value) in headers {
        // A name comes once, before the first of its values.
        name = next.or(name);
        let Some(name) = &name else { continue };
        if MetadataKey::is_reserved(name.as_str()) {
            continue;
        }
        if !name.as_str().ends_with(BINARY) {
            metadata.push(
                MetadataKey::from_header(name.clone()),
                MetadataValue::from_header(value),
            );
            continue;
        }
        for piece in pieces(&value) {
            let bytes = binary(piece).ok_or_else(|| malformed(name))?;
            metadata.push(
                MetadataKey::from_header(name.clone()),
                MetadataValue::binary(bytes),
            );
        }
    }
    Ok(metadata)
}

/// The values that an intermediary may have joined.
fn pieces(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|b| *b == b',')
}

/// The bytes of one base64 value, blanks around it passed over; `None` if it is none.
pub(crate) fn binary(piece: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(piece.trim_ascii()).ok()
}

/// The base64 value of bytes.
pub(crate) fn binary_value(bytes: &[u8]) -> HeaderValue {
    HeaderValue::try_from(BASE64.encode(bytes)).expect("base64 is printable ASCII")
}

/// The size of headers as HTTP/2 counts it: names, values, and 32 bytes for each.
pub(crate) fn size_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| entry_size(name, value)).sum()
}

/// The size of one header. Values that are joined in it count one by one, as they become an entry each: the commas between
/// them cost next to nothing on the wire.
pub(crate) fn entry_size(name: &HeaderName, value: &HeaderValue) -> usize {
    let name = name.as_str();
    let entries = if name.ends_with(BINARY) {
        pieces(value).count()
    } else {
        1
    };
    entries * (name.len() + ENTRY_OVERHEAD_BYTES) + value.len()
}

/// Checks the size of headers before they are sent.
///
/// # Errors
/// RESOURCE_EXHAUSTED, reason `METADATA_TOO_LARGE`. It says nothing of whose side it is.
pub(crate) fn check_size(headers: &HeaderMap, limit_bytes: usize) -> Result<(), Status> {
    check(size_of(headers), limit_bytes)
}

/// Checks a size as [`size_of`] says it, and fails as [`check_size`].
pub(crate) fn check(size: usize, limit_bytes: usize) -> Result<(), Status> {
    if size <= limit_bytes {
        return Ok(());
    }
    Err(too_large(format!(
        "the metadata is of {size} bytes, the limit is {limit_bytes}"
    )))
}

fn too_large(text: String) -> Status {
    Status::resource_exhausted(text)
        .with_reason(reason::METADATA_TOO_LARGE)
        .with_domain(reason::DOMAIN)
}

fn malformed(name: &HeaderName) -> Status {
    Status::internal(format!("metadata `{name}` is not base64"))
        .with_reason(reason::METADATA_MALFORMED)
        .with_domain(reason::DOMAIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rpc_core::Code;

    use super::*;

    fn headers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        entries
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn appended(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in entries {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn text_and_bytes_go_both_ways() {
        let mut metadata = Metadata::new();
        metadata.append("x-tenant", "acme").expect("legal");
        metadata.append("x-tenant", "other").expect("legal");
        metadata
            .append_bin("x-token-bin", b"\xfb\xff\0".as_slice())
            .expect("legal");
        let mut sent = HeaderMap::new();
        append_metadata(&metadata, &mut sent);
        assert_eq!(
            sent,
            appended(&[
                ("x-tenant", "acme"),
                ("x-tenant", "other"),
                ("x-token-bin", "+/8A")
            ])
        );
        assert_eq!(take_metadata(sent).expect("well-formed"), metadata);
    }

    #[test]
    fn base64_is_written_without_padding_and_read_with_and_without() {
        assert_eq!(binary_value(b"a"), "YQ");
        assert_eq!(binary(b"YQ").as_deref(), Some(&b"a"[..]));
        assert_eq!(binary(b"YQ==").as_deref(), Some(&b"a"[..]));
        assert_eq!(binary(b" YWI= ").as_deref(), Some(&b"ab"[..]));
        assert_eq!(binary(b"").as_deref(), Some(&b""[..]));
        assert_eq!(binary(b"Y!"), None);
        assert_eq!(binary(b"Y"), None);
        assert_eq!(binary(b"-_"), None);
    }

    #[test]
    fn joined_values_are_taken_apart() {
        let metadata = take_metadata(headers(&[("k-bin", "YQ==,YmM, ZA")])).expect("well-formed");
        let values: Vec<_> = metadata
            .get_all("k-bin")
            .filter_map(MetadataValue::as_bytes)
            .collect();
        assert_eq!(values, ["a", "bc", "d"]);
    }

    #[test]
    fn what_is_not_base64_is_refused_by_name() {
        let status = take_metadata(headers(&[("k-bin", "Y!")])).expect_err("malformed");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Internal, Some(reason::METADATA_MALFORMED))
        );
        assert!(status.message().contains("k-bin"), "{status}");
    }

    #[test]
    fn reserved_keys_are_dropped_but_for_two() {
        let received = headers(&[
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", "x"),
            ("grpc-timeout", "1S"),
            ("grpc-anything", "x"),
            ("grpc-previous-rpc-attempts", "1"),
            ("grpc-retry-pushback-ms", "5"),
            ("authorization", "x"),
        ]);
        let metadata = take_metadata(received.clone()).expect("well-formed");
        let mut keys: Vec<_> = metadata.iter().map(|(key, _)| key.as_str().to_owned()).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "authorization",
                "grpc-previous-rpc-attempts",
                "grpc-retry-pushback-ms"
            ]
        );

        let mut forged = Metadata::new();
        forged.push(
            MetadataKey::from_header(crate::wire::names::TIMEOUT),
            MetadataValue::from_header(HeaderValue::from_static("1S")),
        );
        let mut sent = HeaderMap::new();
        append_metadata(&forged, &mut sent);
        assert!(sent.is_empty());
    }

    #[test]
    fn text_that_is_legal_http_only_passes() {
        let mut received = HeaderMap::new();
        received.append(
            "x-name",
            HeaderValue::from_bytes(b"caf\xc3\xa9").expect("legal HTTP"),
        );
        let metadata = take_metadata(received.clone()).expect("it is passed on as it is");
        let mut sent = HeaderMap::new();
        append_metadata(&metadata, &mut sent);
        assert_eq!(sent, received);
    }

    #[test]
    fn sizes_count_as_http2_does() {
        let headers = appended(&[("ab", "cde"), ("ab", "")]);
        assert_eq!(size_of(&headers), (2 + 3 + 32) + (2 + 32));
        let joined = appended(&[("a-bin", "YQ,YQ,"), ("a", ",,")]);
        assert_eq!(size_of(&joined), 3 * (5 + 32) + 6 + (1 + 2 + 32));
        assert!(check_size(&headers, 71).is_ok());
        let status = check_size(&headers, 70).expect_err("too large");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::ResourceExhausted, Some(reason::METADATA_TOO_LARGE))
        );
    }

    #[test]
    fn what_there_is_room_for_can_be_added_and_more_is_refused() {
        let mut headers = appended(&[("te", "trailers")]);
        reserve(&mut headers, MAX_HEADERS - 1).expect("there is room");
        for n in 1..MAX_HEADERS {
            let name = HeaderName::try_from(format!("x-{n}")).expect("legal");
            headers.append(name, HeaderValue::from_static("1"));
        }
        let status = reserve(&mut headers, 1).expect_err("too many");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::ResourceExhausted, Some(reason::METADATA_TOO_LARGE))
        );
        for n in 0..100 {
            let name = HeaderName::try_from(format!("grpc-{n}")).expect("legal");
            headers.insert(name, HeaderValue::from_static("1"));
        }
    }

    proptest! {
        #[test]
        fn bytes_arrive_as_they_were_sent(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..5)) {
            let mut metadata = Metadata::new();
            for value in values {
                metadata.append_bin("k-bin", value).expect("legal");
            }
            let mut sent = HeaderMap::new();
            append_metadata(&metadata, &mut sent);
            prop_assert_eq!(take_metadata(sent).expect("well-formed"), metadata);
        }

        #[test]
        fn reads_anything(value in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut received = HeaderMap::new();
                received.append("k-bin", value);
                let _ = take_metadata(received);
            }
        }
    }
}
