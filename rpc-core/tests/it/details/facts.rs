//! Facts of one hop, beside the details.

use std::time::Duration;

use rpc_core::{
    Method, Status,
    status::{Detail, ErrorInfo, Help, HelpLink, reason},
};

use super::{LIMIT, method, over_the_wire};

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
