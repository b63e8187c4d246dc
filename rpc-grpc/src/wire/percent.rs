//! `grpc-message`: UTF-8, with everything but printable ASCII percent-encoded, and `%` itself.

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// What is escaped, besides what is not ASCII.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The header's value for a text.
pub(crate) fn encode(text: &str) -> HeaderValue {
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'%') {
        return HeaderValue::from_str(text).expect("printable ASCII is a legal value");
    }
    let escaped: String = utf8_percent_encode(text, ESCAPED).collect();
    HeaderValue::try_from(escaped).expect("what is escaped is printable ASCII")
}

/// The text of a header's value. A broken escape stays as it is, and bytes that are not UTF-8 become `U+FFFD`: a
/// failure must not get lost because its text is malformed.
pub(crate) fn decode(value: &[u8]) -> String {
    percent_decode(value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_all_but_printable_ascii_and_the_percent_sign() {
        assert_eq!(encode("plain text ~"), "plain text ~");
        assert_eq!(encode("100%\r\n"), "100%25%0D%0A");
        assert_eq!(encode("\t\u{7f}"), "%09%7F");
        assert_eq!(encode("naïve ☺"), "na%C3%AFve %E2%98%BA");
        assert_eq!(encode(""), "");
    }

    #[test]
    fn a_broken_escape_never_fails() {
        assert_eq!(decode(b"50% off"), "50% off");
        assert_eq!(decode(b"%"), "%");
        assert_eq!(decode(b"%4"), "%4");
        assert_eq!(decode(b"%zz%41"), "%zzA");
        assert_eq!(decode(b"%e2%98%ba"), "☺");
        assert_eq!(decode(b"%ff"), "\u{fffd}");
        assert_eq!(decode(b"\xff"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn arrives_as_it_was_sent(text in any::<String>()) {
            let value = encode(&text);
            prop_assert!(value.as_bytes().iter().all(|b| matches!(b, 0x20..=0x7e)));
            prop_assert_eq!(decode(value.as_bytes()), text);
        }

        #[test]
        fn reads_anything(bytes in any::<Vec<u8>>()) {
            decode(&bytes);
        }
    }
}
