use http::HeaderValue;

use super::*;

#[test]
fn names_codings() {
    let parsed = |text: &'static str| Coding::parse(Some(&HeaderValue::from_static(text)));
    assert_eq!(Coding::parse(None), Coding::Identity);
    assert_eq!(parsed("identity"), Coding::Identity);
    assert_eq!(parsed("snappy"), Coding::Unknown);
    for compression in Compression::ALL {
        assert_eq!(parsed(compression.name()), Coding::Known(*compression));
        assert_eq!(Compression::of_name(compression.name()), Some(*compression));
        assert!(accepts(Some(&accepted()), *compression));
        assert!(accepts(
            Some(&HeaderValue::from_static("identity, gzip ,zstd")),
            *compression
        ));
        assert!(!accepts(
            Some(&HeaderValue::from_static("identity,gzip2")),
            *compression
        ));
        assert!(!accepts(None, *compression));
    }
}
