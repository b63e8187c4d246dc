//! Metadata: what is accepted, and in which order it stays.

use proptest::prelude::*;
use rpc_core::{
    Metadata,
    metadata::{MetadataKey, MetadataValue},
};

#[test]
fn entries_keep_their_order() {
    let mut metadata = Metadata::new();
    metadata.append("x-a", "1").expect("legal");
    metadata.append("x-b", "2").expect("legal");
    metadata.append("x-a", "3").expect("legal");
    metadata.append_bin("x-a-bin", b"4".as_slice()).expect("legal");
    let all: Vec<_> = metadata.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(all, ["x-a", "x-b", "x-a", "x-a-bin"]);
    let values: Vec<_> = metadata
        .get_all("x-a")
        .filter_map(MetadataValue::as_str)
        .collect();
    assert_eq!(values, ["1", "3"]);
    assert_eq!(metadata.get("x-a"), Some("1"));

    metadata.insert("x-a", "5").expect("legal");
    assert_eq!((metadata.len(), metadata.get_all("x-a").count()), (3, 1));
    assert!(metadata.remove("x-a") && !metadata.remove("x-a"));
    assert!(!metadata.contains_key("x-a"));

    let mut more = Metadata::new();
    more.insert("x-c", "6").expect("legal");
    metadata.extend(more);
    assert_eq!(metadata.get("x-c"), Some("6"));
}

#[test]
fn keys_of_the_protocol_are_refused() {
    let mut metadata = Metadata::new();
    for key in [
        "grpc-status",
        "grpc-timeout",
        "content-type",
        "te",
        "user-agent",
        "host",
        "connection",
        ":path",
        "",
    ] {
        assert!(metadata.insert(key, "1").is_err(), "{key}");
    }
    for key in ["X-A", "x a", "ä", "x\n"] {
        assert!(metadata.insert(key, "1").is_err(), "{key}");
    }
    for key in [
        "grpc-previous-rpc-attempts",
        "grpc-retry-pushback-ms",
        "x_a.b-c",
        "0",
    ] {
        assert!(metadata.insert(key, "1").is_ok(), "{key}");
    }
    assert!(
        metadata.insert("x-a-bin", "1").is_err(),
        "text under a key for bytes"
    );
    assert!(
        metadata.insert_bin("x-a", b"1".as_slice()).is_err(),
        "bytes under a key for text"
    );
    assert!(metadata.insert(&"x".repeat(100_000), "1").is_err());
}

#[test]
fn values_of_text_are_printable() {
    let mut metadata = Metadata::new();
    for value in ["ä", "\n", "\u{7f}", "a\0"] {
        let error = metadata.insert("x-a", value).expect_err("not printable");
        assert!(error.to_string().contains("-bin"), "{error}");
    }
    metadata.insert("x-a", "").expect("legal");
    assert_eq!(metadata.get("x-a"), Some(""));
    assert_eq!(metadata.get_bin("x-a"), None);
}

#[test]
fn secrets_are_not_printed() {
    let mut metadata = Metadata::new();
    metadata.push(
        MetadataKey::text("authorization").expect("legal"),
        MetadataValue::text("Bearer hunter2").expect("legal").sensitive(),
    );
    let secret = MetadataValue::binary(b"hunter2".as_slice()).sensitive();
    assert!(secret.is_sensitive() && !MetadataValue::binary(b"".as_slice()).is_sensitive());
    metadata.push(MetadataKey::binary("x-token-bin").expect("legal"), secret);
    assert!(!format!("{metadata:?}").contains("hunter2"));
    assert_eq!(metadata.get("authorization"), Some("Bearer hunter2"));
}

proptest! {
    #[test]
    fn what_is_accepted_comes_back(key in "[0-9a-z_.-]{1,20}", value in "[ -~]{0,40}", bytes: Vec<u8>) {
        let mut metadata = Metadata::new();
        let is_text = !MetadataKey::is_reserved(&key) && !key.ends_with("-bin");
        prop_assert_eq!(metadata.insert(&key, &value).is_ok(), is_text);
        if is_text {
            prop_assert_eq!(metadata.get(&key), Some(value.as_str()));
        }
        let key = format!("x{key}-bin");
        metadata.insert_bin(&key, bytes.clone()).expect("legal");
        let found = metadata.get_bin(&key);
        prop_assert_eq!(found.as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn nothing_makes_it_panic(key: String, value: String) {
        let mut metadata = Metadata::new();
        if metadata.insert(&key, &value).is_ok() {
            prop_assert_eq!(metadata.get(&key), Some(value.as_str()));
        }
    }
}
