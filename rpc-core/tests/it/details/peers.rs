//! What peers bear, and what they may send.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rpc_core::{
    Code, Status,
    status::{DetailType, ErrorInfo, RequestInfo, RetryInfo},
};

use super::{LIMIT, method, over_the_wire};

#[test]
fn what_does_not_fit_is_left_out() {
    let long = "x".repeat(400);
    let status = Status::unavailable("y")
        .with_error_info(ErrorInfo::new("shop.example", "LOCKED").with_parameter("long", long.clone()))
        .with_detail(RequestInfo::new(long))
        .with_detail(RequestInfo::new("short"))
        .at_method(&method())
        .not_processed();
    let facts = Status::unavailable("y")
        .at_method(&method())
        .not_processed()
        .encode_details(LIMIT)
        .expect("facts")
        .len();
    for limit in 0..1200 {
        let Some(bytes) = status.encode_details(limit) else {
            continue;
        };
        assert!(bytes.len() <= limit);
        let read = Status::unavailable("y")
            .at_method(&method())
            .with_decoded_details(&bytes);
        assert_eq!(read.was_processed(), limit < facts, "facts come first");
    }
    let bytes = status.encode_details(400).expect("some of it fits");
    let read = Status::unavailable("y").with_decoded_details(&bytes);
    assert_eq!(
        (read.reason(), read.error_info().map(|info| info.metadata.len())),
        (Some("LOCKED"), Some(0))
    );
    assert_eq!(read.detail::<RequestInfo>(), Some(RequestInfo::new("short")));
    assert_eq!(
        Status::unavailable("z".repeat(500))
            .at_method(&method())
            .not_processed()
            .encode_details(100),
        None
    );
}

#[test]
fn reasons_and_keys_are_cut_to_what_others_bear() {
    let info = ErrorInfo::new("shop.example", "R".repeat(80)).with_parameter("ä".repeat(80), "v".repeat(80));
    let read = over_the_wire(&Status::aborted("x").with_error_info(info));
    let info = read.error_info().expect("it was sent");
    assert_eq!(info.reason.len(), 63);
    assert_eq!(info.metadata[0].0.len(), 64);
    assert_eq!(info.metadata[0].1.len(), 80);
}

#[test]
fn what_contradicts_or_is_malformed_is_dropped() {
    let bytes = Status::aborted("x")
        .with_reason("R")
        .encode_details(LIMIT)
        .expect("there is a reason");
    for code in Code::ALL
        .into_iter()
        .filter(|code| !matches!(code, Code::Ok | Code::Aborted))
    {
        assert_eq!(Status::new(code, "x").with_decoded_details(&bytes).reason(), None);
    }
    for cut in 1..bytes.len() {
        let read = Status::aborted("x").with_decoded_details(&bytes[..cut]);
        assert_eq!((read.code(), read.message()), (Code::Aborted, "x"));
    }
    let many = (0..100).fold(Status::aborted("x"), |status, _| {
        status.with_detail(RequestInfo::new("r"))
    });
    let bytes = many.encode_details(usize::MAX).expect("there are details");
    assert_eq!(
        Status::aborted("x").with_decoded_details(&bytes).details().len(),
        64
    );
    let large = Status::aborted("x").with_detail(RequestInfo::new("r".repeat(70_000)));
    let bytes = large.encode_details(usize::MAX).expect("there are details");
    assert!(
        Status::aborted("x")
            .with_decoded_details(&bytes)
            .details()
            .is_empty()
    );
}

#[test]
fn delays_out_of_range_are_bounded() {
    let read =
        |value: &'static [u8]| RetryInfo::from_bytes(&Bytes::from_static(value)).map(|info| info.retry_delay);
    assert_eq!(read(b""), Some(Duration::ZERO));
    // -1 second.
    assert_eq!(
        read(b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Some(Duration::ZERO)
    );
    // i64::MAX seconds.
    assert!(read(b"\x0a\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f").is_some());
    let forever = Status::aborted("x").with_pushback(Duration::MAX);
    assert!(
        over_the_wire(&forever)
            .pushback()
            .is_some_and(|pushback| pushback.as_secs() == 315_576_000_000)
    );
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ -~äß☃]{0,20}").expect("a pattern")
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let read = Status::aborted("x").with_decoded_details(&bytes);
        prop_assert_eq!(read.code(), Code::Aborted);
    }

    #[test]
    fn any_status_round_trips(
        (reason, domain) in (text(), text()),
        parameters in proptest::collection::vec((text(), text()), 0..4),
        (not_processed, overload, retryable) in (any::<bool>(), any::<bool>(), any::<Option<bool>>()),
        pushback_ms in any::<Option<u32>>(),
        ids in proptest::collection::vec(text(), 0..4),
    ) {
        let is_fact = |key: &str| matches!(key, "not_processed" | "overload" | "retryable" | "no_retry" | "at");
        let mut info = ErrorInfo::new(domain, reason);
        for (key, value) in parameters.into_iter().filter(|(key, _)| !is_fact(key)) {
            info = info.with_parameter(key, value);
        }
        let mut status = Status::aborted("x").with_error_info(info.clone());
        if not_processed { status = status.not_processed(); }
        if overload { status = status.overload(); }
        if let Some(retryable) = retryable { status = status.with_retryable(retryable); }
        if let Some(ms) = pushback_ms { status = status.with_pushback(Duration::from_millis(ms.into())); }
        for id in &ids { status = status.with_detail(RequestInfo::new(id.clone())); }

        let read = over_the_wire(&status);
        prop_assert_eq!(read.error_info(), Some(&info));
        prop_assert_eq!(read.was_processed(), status.was_processed());
        prop_assert_eq!(read.is_overload(), status.is_overload());
        prop_assert_eq!(read.is_retryable(), status.is_retryable());
        prop_assert_eq!(read.pushback(), status.pushback());
        prop_assert_eq!(read.details(), status.details());
    }
}
