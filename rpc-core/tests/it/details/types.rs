//! The types of `google.rpc`, in memory and as bytes.

use std::time::Duration;

use bytes::Bytes;
use rpc_core::{
    Status,
    status::{
        BadRequest, DebugInfo, Detail, DetailType, ErrorInfo, FieldViolation, Help, HelpLink,
        LocalizedMessage, PreconditionFailure, PreconditionViolation, QuotaFailure, QuotaViolation,
        RequestInfo, ResourceInfo, RetryInfo,
    },
};

use super::{LIMIT, over_the_wire};

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
fn the_prefix_of_a_type_url_does_not_matter() {
    let detail = Detail {
        type_url: "example.com/google.rpc.RequestInfo".into(),
        value: Bytes::from_static(b"\x0a\x01i"),
    };
    assert_eq!(detail.type_name(), "google.rpc.RequestInfo");
    assert_eq!(detail.read::<RequestInfo>(), Some(RequestInfo::new("i")));
    assert_eq!(detail.read::<ResourceInfo>(), None);
}
