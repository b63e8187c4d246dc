//! Details: typed, on the wire, and what a peer may send.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rpc_core::{
    Code, Method, Status,
    status::{
        BadRequest, DebugInfo, Detail, DetailType, ErrorInfo, FieldViolation, Help, HelpLink,
        LocalizedMessage, PreconditionFailure, PreconditionViolation, QuotaFailure, QuotaViolation,
        RequestInfo, ResourceInfo, RetryInfo, reason,
    },
};

const LIMIT: usize = 8192;

/// The method that is called.
fn method() -> Method {
    Method::unknown("/shop.v1.Cart/Add")
}

fn over_the_wire(status: &Status) -> Status {
    let status = status.clone().at_method(&method());
    let bytes = status.encode_details(LIMIT).expect("there is something to send");
    Status::new(status.code(), status.message().to_owned())
        .at_method(&method())
        .with_decoded_details(&bytes)
}

#[test]
fn each_type_round_trips() {
    fn check<T: DetailType + Clone + PartialEq + std::fmt::Debug>(message: T) {
        let status = Status::aborted("x").with_detail(message.clone());
        assert_eq!(status.detail::<T>(), Some(message.clone()));
        assert_eq!(over_the_wire(&status).detail::<T>(), Some(message));
    }

    check(RetryInfo::new(Duration::new(1, 500)));
    check(ErrorInfo::new("shop.example", "SOLD_OUT").with_parameter("sku", "4711"));
    check(BadRequest::new([
        FieldViolation::new("sku", "is empty").with_reason("EMPTY")
    ]));
    check(PreconditionFailure::new([PreconditionViolation::new(
        "TOS",
        "shop.example",
        "accept the terms",
    )]));
    check(QuotaFailure::new([QuotaViolation::new(
        "tenant:acme",
        "10 orders a day",
    )]));
    check(
        ResourceInfo::new("shop.v1.Article", "4711")
            .with_owner("user:jane")
            .with_description("is gone"),
    );
    check(RequestInfo::new("r-1"));
    check(DebugInfo::new("at the shelf").with_stack(["inner".to_owned(), "outer".to_owned()]));
    check(Help::new([HelpLink::new(
        "the manual",
        "https://shop.example/help",
    )]));
    check(LocalizedMessage::new("de-DE", "Ausverkauft"));
}

/// As protoc's own encoder writes them, for messages of `google/rpc/error_details.proto`.
#[test]
fn the_bytes_are_those_of_google_rpc() {
    fn bytes_of(message: impl Into<Detail>) -> Bytes {
        message.into().value
    }

    assert_eq!(
        &bytes_of(RetryInfo::new(Duration::new(1, 500_000_000)))[..],
        b"\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01"
    );
    assert_eq!(
        &bytes_of(ErrorInfo::new("d", "R").with_parameter("k", "v"))[..],
        b"\x0a\x01R\x12\x01d\x1a\x06\x0a\x01k\x12\x01v",
    );
    assert_eq!(
        &bytes_of(BadRequest::new([FieldViolation::new("f", "d")]))[..],
        b"\x0a\x06\x0a\x01f\x12\x01d"
    );
    assert_eq!(
        &bytes_of(PreconditionFailure::new([PreconditionViolation::new(
            "t", "s", "d"
        )]))[..],
        b"\x0a\x09\x0a\x01t\x12\x01s\x1a\x01d",
    );
    assert_eq!(
        &bytes_of(QuotaFailure::new([QuotaViolation::new("s", "d")]))[..],
        b"\x0a\x06\x0a\x01s\x12\x01d"
    );
    assert_eq!(
        &bytes_of(ResourceInfo::new("t", "n").with_owner("o").with_description("d"))[..],
        b"\x0a\x01t\x12\x01n\x1a\x01o\x22\x01d",
    );
    assert_eq!(&bytes_of(RequestInfo::new("i"))[..], b"\x0a\x01i");
    assert_eq!(
        &bytes_of(DebugInfo::new("d").with_stack(["s".to_owned()]))[..],
        b"\x0a\x01s\x12\x01d"
    );
    assert_eq!(
        &bytes_of(Help::new([HelpLink::new("d", "u")]))[..],
        b"\x0a\x06\x0a\x01d\x12\x01u"
    );
    assert_eq!(
        &bytes_of(LocalizedMessage::new("l", "m"))[..],
        b"\x0a\x01l\x12\x01m"
    );
}

#[test]
fn a_whole_status_is_google_rpc_status() {
    let status = Status::not_found("gone").with_error_info(ErrorInfo::new("d", "R"));
    let url = "type.googleapis.com/google.rpc.ErrorInfo";
    let mut expected = b"\x08\x05\x12\x04gone\x1a".to_vec();
    expected.push(2 + 40 + 2 + 6);
    expected.extend_from_slice(b"\x0a\x28");
    expected.extend_from_slice(url.as_bytes());
    expected.extend_from_slice(b"\x12\x06\x0a\x01R\x12\x01d");
    assert_eq!(status.encode_details(LIMIT).as_deref(), Some(&expected[..]));
}

#[test]
fn nothing_is_sent_where_there_is_nothing_to_say() {
    assert_eq!(Status::not_found("gone").encode_details(LIMIT), None);
    assert_eq!(
        Status::unavailable("gone")
            .at_side(rpc_core::status::Side::Network)
            .encode_details(LIMIT),
        None
    );
}

#[test]
fn facts_cross_beside_any_reason() {
    let mark = |status: Status| {
        status
            .not_processed()
            .overload()
            .with_pushback(Duration::from_millis(250))
    };
    let reasons = [
        Status::unavailable("x"),
        Status::unavailable("x")
            .with_reason(reason::DRAINING)
            .with_domain(reason::DOMAIN),
        Status::unavailable("x")
            .with_error_info(ErrorInfo::new("shop.example", "LOCKED").with_parameter("a", "b")),
    ];
    for status in reasons {
        let sent = mark(status.clone());
        let read = over_the_wire(&sent);
        assert!(!read.was_processed() && read.is_overload() && !read.forbids_retry());
        assert_eq!(read.pushback(), Some(Duration::from_millis(250)));
        assert_eq!(read.error_info(), status.error_info(), "the reason is as it was");
        assert!(read.details().is_empty(), "facts are no details");
    }
    let read = over_the_wire(&Status::unavailable("x").without_retry().with_retryable(true));
    assert!(read.forbids_retry() && !read.is_retryable());
    let read = over_the_wire(&Status::aborted("x").with_retryable(true));
    assert!(read.is_retryable() && read.was_processed());
    assert!(!over_the_wire(&Status::unavailable("x").with_retryable(false)).is_retryable());
}

/// A server that knows nothing of facts passes details on, of a call of its own.
#[test]
fn not_processed_is_believed_of_the_method_that_was_called() {
    let refused = Status::unavailable("x").with_reason("FULL").not_processed();
    let bytes = refused
        .clone()
        .at_method(&method())
        .encode_details(LIMIT)
        .expect("there is a fact");
    let of_another = Status::unavailable("x").at_method(&Method::unknown("/shop.v1.Cart/Clear"));
    let read = of_another.with_decoded_details(&bytes);
    assert!(read.was_processed() && read.reason() == Some("FULL"));
    assert!(read.details().is_empty(), "it is not passed on either");
    let nowhere = Status::unavailable("x").with_decoded_details(&bytes);
    assert!(nowhere.was_processed());

    let placeless = refused.encode_details(LIMIT).expect("there is a reason");
    let plain = ErrorInfo::new(reason::DOMAIN, reason::HOP).with_parameter("not_processed", "true");
    let plain = Status::unavailable("x")
        .with_detail(Detail::from(plain))
        .at_method(&method());
    let read = Status::unavailable("x")
        .at_method(&method())
        .with_decoded_details(&placeless);
    assert!(plain.was_processed() && read.was_processed());
}

#[test]
fn other_facts_are_not_believed_of_another_method() {
    let busy = Status::unavailable("x")
        .with_reason("FULL")
        .with_pushback(Duration::from_secs(9));
    let says = [
        busy.clone(),
        busy.clone().overload(),
        busy.without_retry(),
        Status::unavailable("x").with_retryable(false),
    ];
    for status in says {
        let bytes = status
            .at_method(&method())
            .encode_details(LIMIT)
            .expect("there is a fact");
        let called = || Status::unavailable("x").at_method(&Method::unknown("/shop.v1.Cart/Clear"));
        let read = called().with_decoded_details(&bytes);
        assert!(!read.is_overload() && !read.forbids_retry() && read.is_retryable());
        assert_eq!((read.pushback(), read.details().len()), (None, 0));
        // The transport's own word is of the method that was called.
        let read = called()
            .with_pushback(Duration::from_secs(1))
            .with_decoded_details(&bytes);
        assert_eq!(read.pushback(), Some(Duration::from_secs(1)));
    }

    // Somebody who names no method may say it of any.
    let plain = Status::unavailable("x")
        .overload()
        .with_pushback(Duration::from_secs(9));
    let bytes = plain.encode_details(LIMIT).expect("there is a fact");
    let read = Status::unavailable("x")
        .at_method(&method())
        .with_decoded_details(&bytes);
    assert!(read.is_overload() && read.pushback().is_some());
}

#[test]
fn facts_of_a_hop_are_not_forwarded() {
    let sent = Status::unavailable("x")
        .with_detail(Help::new([HelpLink::new("d", "u")]))
        .not_processed()
        .overload()
        .with_pushback(Duration::from_secs(1));
    let passed_on = over_the_wire(&sent).received().leave_hop();
    let read = over_the_wire(&passed_on);
    assert!(read.was_processed() && !read.is_overload());
    assert_eq!(read.pushback(), None);
    assert_eq!(read.details().len(), 1);
}

#[test]
fn a_second_reason_stays_a_detail() {
    let first = ErrorInfo::new("shop.example", "SOLD_OUT");
    let second = ErrorInfo::new("bank.example", "NO_CREDIT");
    let read = over_the_wire(
        &Status::aborted("x")
            .with_detail(first.clone())
            .with_detail(second.clone()),
    );
    assert_eq!(read.error_info(), Some(&first));
    assert_eq!(read.details()[0].read::<ErrorInfo>(), Some(second));
}

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

#[test]
fn a_pushback_of_the_transport_wins() {
    let bytes = Status::unavailable("x")
        .with_pushback(Duration::from_secs(9))
        .encode_details(LIMIT)
        .expect("some");
    let read = Status::unavailable("x")
        .with_pushback(Duration::from_secs(1))
        .with_decoded_details(&bytes);
    assert_eq!(read.pushback(), Some(Duration::from_secs(1)));
}

#[test]
fn the_prefix_of_a_type_url_does_not_matter() {
    let detail = Detail {
        type_url: "example.com/google.rpc.RequestInfo".into(),
        value: Bytes::from_static(b"\x0a\x01i"),
    };
    assert_eq!(detail.type_name(), "google.rpc.RequestInfo");
    assert_eq!(detail.read::<RequestInfo>(), Some(RequestInfo::new("i")));
    assert_eq!(detail.read::<ResourceInfo>(), None);
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
