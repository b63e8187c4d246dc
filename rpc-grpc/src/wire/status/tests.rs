use std::time::Duration;

use ::h2::Reason;
use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;
use rpc_core::{
    Code, Metadata, Status,
    status::{Side, reason},
};

use super::*;
use crate::wire::{headers::size_of, names};

fn written(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    write(status, usize::MAX, &mut trailers);
    trailers
}

fn passed_on(status: &Status) -> Status {
    finish(written(status), StatusCode::OK).expect_err("it is a failure")
}

fn trailers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
    entries
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn code_of(entries: &[(&'static str, &'static str)]) -> Code {
    finish(trailers(entries), StatusCode::OK)
        .expect_err("it is a failure")
        .code()
}

#[test]
fn golden_trailers() {
    assert_eq!(ok(), trailers(&[("grpc-status", "0")]));
    assert_eq!(
        written(&Status::new(Code::NotFound, "100 %")),
        trailers(&[("grpc-status", "5"), ("grpc-message", "100 %25")])
    );
    assert_eq!(
        written(
            &Status::new(Code::NotFound, "100 %")
                .with_reason("GONE")
                .with_domain("shop")
        ),
        trailers(&[
            ("grpc-status", "5"),
            ("grpc-message", "100 %25"),
            (
                "grpc-status-details-bin",
                "CAUSBTEwMCAlGjgKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SDAoER09ORRIEc2hvcA"
            ),
        ])
    );
    let mut pushed = written(&Status::unavailable("").with_pushback(Duration::from_micros(1500)));
    pushed.remove(names::STATUS_DETAILS);
    assert_eq!(
        pushed,
        trailers(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "2")])
    );
    let forbidden = written(&Status::unavailable("").without_retry());
    assert_eq!(forbidden[names::RETRY_PUSHBACK], "-1");
}

#[test]
fn every_code_arrives() {
    for code in Code::ALL {
        if code != Code::Ok {
            let status = passed_on(&Status::new(code, "why\n"));
            assert_eq!((status.code(), status.message()), (code, "why\n"));
            assert_eq!(status.place().side(), Some(Side::Server));
        }
    }
}

#[test]
fn codes_beyond_grpc_are_unknown() {
    assert_eq!(code_of(&[("grpc-status", "17")]), Code::Unknown);
    assert_eq!(code_of(&[("grpc-status", "-1")]), Code::Unknown);
    assert_eq!(code_of(&[("grpc-status", "")]), Code::Unknown);
    assert_eq!(code_of(&[("grpc-status", "x")]), Code::Unknown);
    assert_eq!(code_of(&[("grpc-status", "99999999999")]), Code::Unknown);
}

#[test]
fn success_hands_over_what_else_is_there() {
    let metadata =
        finish(trailers(&[("grpc-status", "0"), ("x-cost", "7")]), StatusCode::OK).expect("success");
    assert_eq!(metadata.get("x-cost"), Some("7"));
    assert_eq!(metadata.len(), 1);
}

#[test]
fn a_failure_carries_its_metadata() {
    let mut metadata = Metadata::new();
    metadata.insert("x-hint", "here").expect("legal");
    metadata
        .insert_bin("x-hint-bin", b"\0".as_slice())
        .expect("legal");
    let status = passed_on(&Status::aborted("why").with_metadata(metadata.clone()));
    assert_eq!(status.metadata(), &metadata);
}

#[test]
fn malformed_metadata_never_hides_a_failure_but_breaks_a_success() {
    let broken = ("x-bin", "!");
    assert_eq!(code_of(&[("grpc-status", "5"), broken]), Code::NotFound);
    let status = finish(trailers(&[("grpc-status", "0"), broken]), StatusCode::OK).expect_err("malformed");
    assert_eq!(status.reason(), Some(reason::METADATA_MALFORMED));
}

#[test]
fn push_back_and_its_refusal_arrive() {
    let status = passed_on(&Status::unavailable("busy").with_pushback(Duration::from_millis(70)));
    assert_eq!(status.pushback(), Some(Duration::from_millis(70)));
    assert!(!status.forbids_retry());
    assert!(passed_on(&Status::unavailable("busy").without_retry()).forbids_retry());
    let unreadable = trailers(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "soon")]);
    assert!(
        finish(unreadable, StatusCode::OK)
            .expect_err("it is a failure")
            .forbids_retry()
    );
}

#[test]
fn details_arrive() {
    let sent = Status::failed_precondition("why")
        .with_reason("STOCK_LOW")
        .with_domain("shop")
        .with_parameter("sku", "1");
    let arrived = passed_on(&sent);
    assert_eq!(arrived.error_info(), sent.error_info());
}

#[test]
fn details_go_first_when_trailers_grow_large() {
    let large = Status::failed_precondition("why")
        .with_reason("STOCK_LOW")
        .with_parameter("text", "x".repeat(9_000));
    let arrived = passed_on(&large);
    assert_eq!((arrived.message(), arrived.reason()), ("why", Some("STOCK_LOW")));
    assert!(size_of(&written(&large)) <= 8 << 10);

    let mut metadata = Metadata::new();
    metadata.insert("x-text", &"x".repeat(8_000)).expect("legal");
    let trailers = written(&large.with_metadata(metadata));
    assert!(!trailers.contains_key(names::STATUS_DETAILS));
    assert_eq!(trailers[names::MESSAGE], "why");
}

#[test]
fn a_long_text_is_shortened_between_characters() {
    for text in [
        "x".repeat(20_000),
        "☺".repeat(9_000),
        format!("{}☺", "x".repeat(8_000)),
    ] {
        let trailers = written(&Status::unknown(text.clone()));
        assert!(size_of(&trailers) <= 8 << 10);
        let arrived = finish(trailers, StatusCode::OK).expect_err("it is a failure");
        assert!(text.starts_with(arrived.message()));
        assert!(arrived.message().len() > 2_000);
    }
}

#[test]
fn of_a_failure_that_is_too_large_the_reasons_are_kept() {
    const CODE: (&str, &str) = ("grpc-status", "5");
    const TEXT: (&str, &str) = ("grpc-message", "why");
    let whole = trailers(&[("x-hint", "here"), CODE, TEXT]);
    let kept = |limit| {
        let mut kept = whole.clone();
        fit(&mut kept, limit).expect("it is a failure");
        kept
    };
    let size = size_of(&whole);
    assert_eq!(kept(size), whole);
    assert_eq!(kept(size - 1), trailers(&[CODE, TEXT]));
    assert_eq!(kept(50), trailers(&[CODE]));
    let status = fit(&mut trailers(&[("grpc-status", "0"), TEXT]), 50).expect_err("too large");
    assert_eq!(status.reason(), Some(reason::METADATA_TOO_LARGE));
}

#[test]
fn without_a_status_the_http_status_decides() {
    let expected = [
        (200, Code::Unknown),
        (302, Code::Unknown),
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (418, Code::Unknown),
        (429, Code::Unavailable),
        (431, Code::Internal),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ];
    for (http, code) in expected {
        let http = StatusCode::from_u16(http).expect("legal");
        let status = finish(trailers(&[("x-proxy", "me")]), http).expect_err("it is a failure");
        assert_eq!(status.code(), code, "{http}");
        assert_eq!(status.metadata().get("x-proxy"), Some("me"));
    }
}

#[test]
fn resets_mean_what_grpc_says() {
    let expected = [
        (Reason::NO_ERROR, Code::Internal),
        (Reason::PROTOCOL_ERROR, Code::Internal),
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::FLOW_CONTROL_ERROR, Code::Internal),
        (Reason::SETTINGS_TIMEOUT, Code::Internal),
        (Reason::FRAME_SIZE_ERROR, Code::Internal),
        (Reason::COMPRESSION_ERROR, Code::Internal),
        (Reason::CONNECT_ERROR, Code::Internal),
        (Reason::REFUSED_STREAM, Code::Unavailable),
        (Reason::CANCEL, Code::Cancelled),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
    ];
    for (reset, code) in expected {
        let status = from_reason(reset, Perspective::Client);
        assert_eq!(status.code(), code, "{reset:?}");
        assert_eq!(
            status.was_processed(),
            reset != Reason::REFUSED_STREAM,
            "{reset:?}"
        );
        assert_eq!(
            status.is_overload(),
            reset == Reason::ENHANCE_YOUR_CALM,
            "{reset:?}"
        );
        let status = from_reason(reset, Perspective::Server);
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Cancelled, Some(reason::CALLER_GONE))
        );
    }
}

#[test]
fn a_reset_says_what_can_be_said() {
    assert_eq!(
        reset_reason(&Status::unavailable("draining").not_processed()),
        Reason::REFUSED_STREAM
    );
    assert_eq!(reset_reason(&Status::unavailable("busy")), Reason::CANCEL);
    assert_eq!(reset_reason(&Status::deadline_exceeded("late")), Reason::CANCEL);
    assert_eq!(reset_reason(&Status::internal("bug")), Reason::INTERNAL_ERROR);
}

proptest! {
    #[test]
    fn any_failure_fits_and_arrives(code in 1..17_u32, text in ".{0,4000}", parameter in ".{0,3000}") {
        let sent = Status::new(Code::from_u32(code), text).with_reason("WHY").with_parameter("p", parameter);
        let trailers = written(&sent);
        prop_assert!(size_of(&trailers) <= 8 << 10);
        let arrived = finish(trailers, StatusCode::OK).expect_err("it is a failure");
        prop_assert_eq!(arrived.code(), sent.code());
        prop_assert!(sent.message().starts_with(arrived.message()));
    }
}
