//! Deadlines and cancellation reach the handler.

use std::time::Duration;

use bytes::Bytes;
use rpc_core::{Call, Code, Context, Deadline, Response, message::Encoded, status::reason};

use super::{
    service::{Counter, Dropped, TYPES, TestService},
    support::{echo, pair, within},
};

fn call(message: &'static str) -> Call<'static> {
    let body = rpc_core::Body::Encoded(Encoded {
        bytes: Bytes::from_static(message.as_bytes()),
    });
    Call::new(TYPES[0].method(), "proto", body)
}

/// A service whose handler waits for ever, and tells when it begins and when it is dropped.
fn waiting() -> (TestService, Counter, Dropped) {
    let (begun, dropped) = (Counter::default(), Dropped::default());
    let (begins, held) = (begun.clone(), dropped.clone());
    let service = TestService::new().unary(move |request| {
        let (begins, held) = (begins.clone(), held.clone());
        async move {
            if request.message() == "wait" {
                let _guard = held.guard();
                begins.add();
                std::future::pending::<()>().await;
            }
            Ok(Response::new(request.into_inner()))
        }
    });
    (service, begun, dropped)
}

#[tokio::test]
async fn the_server_ends_a_call_at_its_deadline_by_itself() {
    let (service, _, dropped) = waiting();
    let pair = pair(service).await;
    let mut call = call("wait");
    call.context = Context::new().with_deadline(Deadline::after(Duration::from_millis(60)));
    let started = tokio::time::Instant::now();
    // Nobody keeps the deadline on this side: the link does not.
    let status = within(pair.link.call(&mut call)).await.expect_err("it is late");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::DeadlineExceeded, Some(reason::DEADLINE_PASSED))
    );
    assert!(started.elapsed() >= Duration::from_millis(60), "it is early");
    within(dropped.wait()).await;
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn a_call_without_time_is_not_sent() {
    let (service, begun, _) = waiting();
    let pair = pair(service).await;
    echo(&pair.channel, "x").await.unwrap();
    let mut call = call("wait");
    call.context = Context::new().with_deadline(Deadline::after(Duration::ZERO));
    let status = within(pair.link.call(&mut call)).await.expect_err("it is late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(!status.was_processed());
    assert_eq!(begun.get(), 0);
}

#[tokio::test]
async fn dropping_a_call_drops_its_handler() {
    let (service, begun, dropped) = waiting();
    let pair = pair(service).await;
    let (link, mut waits) = (pair.link.clone(), call("wait"));
    let task = tokio::spawn(async move { link.call(&mut waits).await.map(drop) });
    within(begun.reached(1)).await;
    task.abort();
    within(dropped.wait()).await;
    for _ in 0..10 {
        assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
    }
}

#[tokio::test]
async fn a_lost_connection_drops_the_handlers_and_fails_the_calls() {
    let (service, begun, dropped) = waiting();
    let pair = pair(service).await;
    let (link, mut waits) = (pair.link.clone(), call("wait"));
    let task = tokio::spawn(async move { link.call(&mut waits).await.map(drop) });
    within(begun.reached(1)).await;
    pair.drain.advance(rpc_core::transport::DrainPhase::Cancelling);
    let status = within(task).await.unwrap().expect_err("it is lost");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECTION_LOST))
    );
    assert!(status.was_processed(), "nobody knows");
    within(dropped.wait()).await;
}
