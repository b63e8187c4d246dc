//! Paths of fields, as text.

use rpc_core::message::{FieldPath, InvalidFieldPath};

fn path(text: &str) -> FieldPath {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn paths_are_read_and_written() {
    for text in [
        "a",
        "a.b-c_1",
        "a[0][12].b",
        "[*].a",
        "\"a b\".c",
        "a.\"\\\"\\\\.\"[*]",
        "\"\"",
        "0.1",
    ] {
        assert_eq!(path(text).to_string(), text);
    }
    assert_eq!(path("\"plain\"").to_string(), "plain");
    let long = "a".repeat(257);
    let many = vec!["a"; 17].join(".");
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "a[",
        "a[]",
        "a[x]",
        "a[-1]",
        "a[+1]",
        "a[4294967296]",
        "a]",
        "a[0]b",
        "\"a",
        "\"a\"b",
        "\"\\n\"",
        "a.[0]",
        "ä",
        &long,
        &many,
    ] {
        let error: InvalidFieldPath = text.parse::<FieldPath>().expect_err(text);
        assert!(
            error.to_string().starts_with("not the path of a field: "),
            "{error}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_path_survives(text in "[a-c0-9.\\[\\]*\"\\\\ ]{0,20}") {
        if let Ok(read) = text.parse::<FieldPath>() {
            let written = read.to_string();
            proptest::prop_assert_eq!(written.parse::<FieldPath>(), Ok(read));
        }
    }
}
