//! Facts, and what of a status reaches the next hop.

use std::{error::Error, time::Duration};

use rpc_core::{
    BoxError, Call, Channel, Code, Reply, Request, Response, Result, Stage, Status, client,
    context::Expiry,
    server::Dispatch,
    stage::SharedStage,
    status::{BadRequest, ErrorInfo, FieldViolation, RetryInfo, Side, Verdict, reason},
    transport::LocalTransport,
};

use crate::support::{Numbers, ONE, collect, count, one, router};

/// A refusal with everything that can be said.
fn refusal() -> Status {
    let mut status = Status::unavailable("try elsewhere")
        .with_error_info(ErrorInfo::new("shop.example", "SHELF_LOCKED").with_parameter("shelf", "7"))
        .with_detail(BadRequest::new([FieldViolation::new("sku", "is locked")]))
        .with_detail(RetryInfo::new(Duration::from_secs(3)))
        .not_processed()
        .overload();
    status.metadata_mut().insert("x-shelf", "7").expect("legal");
    status
}

#[test]
fn without_a_word_only_unavailable_is_retryable() {
    for code in Code::ALL {
        let status = Status::new(code, "");
        assert_eq!(status.is_retryable(), code == Code::Unavailable);
        assert!(status.was_processed() && !status.is_overload() && !status.forbids_retry());
        assert_eq!(status.pushback(), None);
    }
    assert!(Status::internal("").not_processed().is_retryable());
    assert!(
        Status::resource_exhausted("")
            .with_pushback(Duration::ZERO)
            .is_retryable()
    );
    assert!(Status::aborted("").with_retryable(true).is_retryable());
    assert!(!Status::unavailable("").with_retryable(false).is_retryable());
    assert!(
        !Status::unavailable("")
            .not_processed()
            .without_retry()
            .is_retryable()
    );
    assert_eq!(
        Status::new(Code::Ok, "").code(),
        Code::Unknown,
        "a failure is never OK"
    );
}

#[test]
fn what_a_handler_says_itself_goes_on() {
    let status = refusal().leave_hop();
    assert!(status.was_processed(), "it was begun");
    assert!(status.is_overload() && status.is_retryable());
    assert_eq!(status.pushback(), Some(Duration::from_secs(3)));
    assert_eq!(status.metadata().get("x-shelf"), Some("7"));
    assert!(status.source().is_none());
}

#[tokio::test]
async fn what_comes_from_below_goes_on_without_the_facts_of_its_hop() {
    let below = Numbers::new().on_one(|_| async { Err(refusal()) }).channel();
    let status = one(&below, 1).await.expect_err("refused");
    assert_eq!(status.pushback(), Some(Duration::from_secs(3)));
    assert!(status.is_overload() && status.was_processed());
    assert_eq!(status.metadata().get("x-shelf"), Some("7"));

    let above = Numbers::new()
        .on_one(move |_| {
            let below = below.clone();
            async move { one(&below, 1).await.map(Response::new) }
        })
        .channel();
    let status = one(&above, 1).await.expect_err("refused");
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "try elsewhere")
    );
    assert_eq!(
        (status.reason(), status.domain()),
        (Some("SHELF_LOCKED"), Some("shop.example"))
    );
    assert_eq!(
        status.error_info().and_then(|info| info.parameter("shelf")),
        Some("7")
    );
    assert!(status.detail::<BadRequest>().is_some());

    assert!(!status.is_overload());
    assert_eq!(status.pushback(), None);
    assert_eq!(status.detail::<RetryInfo>(), None);
    assert!(status.metadata().is_empty());
    assert!(
        status.was_processed() && status.is_retryable(),
        "it may succeed, but it was begun"
    );

    let below = status
        .source()
        .and_then(|source| source.downcast_ref::<Status>())
        .expect("it stays in the process");
    assert!(below.is_overload());
    assert_eq!(below.metadata().get("x-shelf"), Some("7"));
}

#[test]
fn what_fails_on_the_callers_own_side_says_nothing_of_the_endpoint() {
    let judged = |status: &Status| Verdict::of(Err(status));
    let ours = |code, reason| {
        Status::new(code, "")
            .with_reason(reason)
            .with_domain(reason::DOMAIN)
    };
    let own = [
        Status::internal("the disk is gone"),
        Status::resource_exhausted("").overload(),
        Status::deadline_exceeded("the disk is slow"),
        Expiry::status().received().leave_hop(),
        ours(Code::ResourceExhausted, reason::METADATA_TOO_LARGE).not_processed(),
        ours(Code::Internal, reason::COMPRESSION_UNKNOWN).not_processed(),
    ];
    for status in own {
        assert_eq!(judged(&status.at_side(Side::Client)), Verdict::Unknown);
    }
    assert_eq!(judged(&Expiry::status().at_side(Side::Client)), Verdict::Failed);
    for reason in [reason::CONNECT_FAILED, reason::CONNECTION_LOST] {
        let status = ours(Code::Unavailable, reason).at_side(Side::Network);
        assert_eq!(judged(&status), Verdict::Failed);
    }

    let malformed = ours(Code::Internal, reason::MESSAGE_MALFORMED).at_side(Side::Server);
    assert_eq!(judged(&malformed), Verdict::Unknown);
    let broken = ours(Code::Internal, reason::PROTOCOL_BROKEN).at_side(Side::Server);
    assert_eq!(judged(&broken), Verdict::Failed);
}

/// A channel to a server without services.
fn nowhere() -> Channel {
    Channel::new(LocalTransport::new(Dispatch::new(std::sync::Arc::default())))
}

#[tokio::test]
async fn a_refusal_from_below_is_not_one_of_ours() {
    let nowhere = nowhere();
    let status = one(&nowhere, 1).await.expect_err("there is no service");
    assert!(!status.was_processed());

    let above = Numbers::new()
        .on_one({
            let nowhere = nowhere.clone();
            move |_| {
                let nowhere = nowhere.clone();
                async move { one(&nowhere, 1).await.map(Response::new) }
            }
        })
        .on_count(move |_| {
            let nowhere = nowhere.clone();
            async move {
                let status = one(&nowhere, 1).await.expect_err("there is no service");
                let (sender, stream) = rpc_core::Streaming::channel(1);
                sender.fail(status);
                Ok(Response::new(stream))
            }
        })
        .channel();
    let status = one(&above, 1).await.expect_err("there is no service");
    assert_eq!(status.reason(), Some(reason::SERVICE_UNKNOWN));
    assert!(status.was_processed() && !status.is_retryable());

    let status = collect(count(&above, 1).await.expect("a stream"))
        .await
        .expect_err("it failed");
    assert_eq!(status.reason(), Some(reason::SERVICE_UNKNOWN));
    assert!(status.was_processed(), "so it is inside of a stream");
}

/// A layer of a server that asks another one before the handler, or after it, as the call says, or refuses the call itself.
struct Asks<S> {
    inner: S,
    other: Channel,
}

impl<S: Stage> Stage for Asks<S> {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        match call.metadata.get("x-ask") {
            Some("after") => {
                self.inner.call(call).await?;
                one(&self.other, 1).await?;
            }
            Some("before") => drop(one(&self.other, 1).await?),
            _ => return Err(refusal()),
        }
        self.inner.call(call).await
    }
}

#[tokio::test]
async fn a_refusal_that_a_layer_got_from_below_is_not_one_of_the_servers() {
    let asks = |inner| {
        SharedStage::new(Asks {
            inner,
            other: nowhere(),
        })
    };
    let dispatch = Dispatch::with_pipeline(router(Numbers::new()), asks);
    let channel = Channel::new(LocalTransport::new(dispatch));
    for ask in ["before", "after"] {
        let mut request = Request::new(1);
        request.metadata_mut().insert("x-ask", ask).expect("legal");
        let status = client::unary(&channel, &ONE, request)
            .await
            .expect_err("it could not ask");
        assert_eq!(status.reason(), Some(reason::SERVICE_UNKNOWN));
        assert!(status.was_processed() && !status.is_retryable(), "{ask}");
    }
    let status = one(&channel, 1).await.expect_err("refused");
    assert!(!status.was_processed() && status.is_overload());
    assert_eq!(
        status.pushback(),
        Some(Duration::from_secs(3)),
        "that is its own word"
    );
}

#[tokio::test]
async fn each_border_adds_its_place() {
    let below = Numbers::new()
        .on_one(|_| async { Err(Status::not_found("no such number")) })
        .channel();
    let status = client::unary(&below, &ONE, Request::new(1))
        .await
        .expect_err("not found");
    assert_eq!(status.place().path(), Some("/test.v1.Numbers/One"));
    assert_eq!(status.place().side(), Some(Side::Server));
    assert_eq!(
        status.to_string(),
        "NOT_FOUND: no such number [/test.v1.Numbers/One, server side]"
    );
}

#[test]
fn a_place_says_what_is_known() {
    let peer = "1.2.3.4:80".parse().expect("an address");
    let status = Status::unavailable("no connection");
    assert_eq!(status.to_string(), "UNAVAILABLE: no connection");
    let status = status.at_addresses(None, Some(&peer));
    assert_eq!(status.to_string(), "UNAVAILABLE: no connection [at 1.2.3.4:80]");
    let status = status.at_side(Side::Network).at_side(Side::Client);
    assert_eq!(
        status.to_string(),
        "UNAVAILABLE: no connection [at 1.2.3.4:80, network side]"
    );
    let status = status.at_method(&ONE.method());
    let place = "[/test.v1.Numbers/One at 1.2.3.4:80, network side]";
    assert_eq!(status.to_string(), format!("UNAVAILABLE: no connection {place}"));
    assert_eq!(
        Status::unavailable("").at_side(Side::Client).to_string(),
        "UNAVAILABLE [client side]"
    );
}

#[test]
fn a_status_in_a_chain_of_errors_is_found() {
    #[derive(Debug)]
    struct Wrapped(Status);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a layer failed")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    let itself: BoxError = Status::aborted("x").into();
    assert_eq!(Status::from_error(itself).code(), Code::Aborted);
    let inside: BoxError = Wrapped(Status::data_loss("x").overload()).into();
    let status = Status::from_error(inside);
    assert!(status.code() == Code::DataLoss && status.is_overload());
    let other = Status::from_error("no status at all".into());
    assert_eq!(
        (other.code(), other.message()),
        (Code::Unknown, "no status at all")
    );
    assert!(other.source().is_some());
}
