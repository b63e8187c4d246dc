//! Deadlines, on a clock that stands still.

use std::{future::pending, time::Duration};

use rpc_core::{
    Body, Call, Channel, Code, Context, Deadline, Request, Response, Result, Stage, Status, Streaming,
    client,
    codec::{MessageCodec, MsgPack},
    context::{Expiry, until},
    message::Typed,
    status::reason,
    transport::LocalTransport,
};
use tokio::time::Instant;

use crate::support::{COUNT, Numbers, ONE, Pending, RELAY, SUM, tell_when_given_up};

const SECOND: Duration = Duration::from_secs(1);

fn assert_passed(status: &Status, start: Instant) {
    assert_eq!(
        (status.code(), status.reason()),
        (Code::DeadlineExceeded, Some(reason::DEADLINE_PASSED))
    );
    assert!(start.elapsed() >= SECOND && start.elapsed() < SECOND + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_late_is_dropped() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_one(move |_| {
            let tell = tell.clone();
            async move {
                let given_up = tell_when_given_up(&Context::current());
                tell.send(given_up).expect("it is waited for");
                pending().await
            }
        })
        .channel();
    let start = Instant::now();
    let request = Request::new(1).with_timeout(SECOND);
    let status = client::unary(&channel, &ONE, request).await.expect_err("late");
    assert_passed(&status, start);
    told.recv()
        .await
        .expect("the handler ran")
        .await
        .expect("its context was given up");
}

#[tokio::test(start_paused = true)]
async fn it_bounds_all_shapes() -> Result<()> {
    let channel = Numbers::new()
        .on_sum(|_| pending())
        .on_count(|_| async { Ok(Response::new(Streaming::new(Pending))) })
        .on_relay(|_| pending())
        .channel();

    let start = Instant::now();
    let request = Request::new(Streaming::empty()).with_timeout(SECOND);
    assert_passed(
        &client::client_streaming(&channel, &SUM, request)
            .await
            .expect_err("late"),
        start,
    );

    let start = Instant::now();
    let request = Request::new(Streaming::empty()).with_timeout(SECOND);
    assert_passed(
        &client::bidi(&channel, &RELAY, request).await.expect_err("late"),
        start,
    );

    let start = Instant::now();
    let request = Request::new(1).with_timeout(SECOND);
    let mut stream = client::server_streaming(&channel, &COUNT, request)
        .await?
        .into_inner();
    let status = stream.message().await.expect_err("late");
    assert_passed(&status, start);
    assert_eq!(status.place().path(), Some(COUNT.descriptor().path()));
    assert!(
        stream.message().await?.is_none(),
        "after an error it is at its end"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_waits_ends_as_well() -> Result<()> {
    let channel = Numbers::new()
        .on_count(|_| async { Ok(Response::new(Streaming::from_iter(0..))) })
        .channel();
    let request = Request::new(1).with_timeout(SECOND);
    let mut stream = client::server_streaming(&channel, &COUNT, request)
        .await?
        .into_inner();
    assert_eq!(stream.message().await?, Some(0));
    tokio::time::advance(SECOND).await;
    let mut late = 0;
    let status = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some()),
            Err(status) => break status,
        }
        late += 1;
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(late <= 16, "{late} messages came after the deadline");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_passed_already_is_not_sent() {
    let channel = Numbers::new()
        .on_one(|_| async { panic!("it was sent") })
        .channel();
    let request = Request::new(1).with_timeout(Duration::ZERO);
    let status = client::unary(&channel, &ONE, request).await.expect_err("late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_keeps_any_more_is_kept_in_process() {
    let transport = LocalTransport::new(Numbers::new().on_one(|_| pending()).dispatch());
    let mut message = Typed::new(1_u32, MessageCodec::of::<MsgPack>());
    let mut call = Call::new(ONE.method(), "msgpack", Body::Value(&mut message));
    drop(call.keep_deadline(Deadline::after(SECOND)));
    let start = Instant::now();
    let status = transport.call(&mut call).await.expect_err("late");
    assert_passed(&status, start);
}

#[tokio::test(start_paused = true)]
async fn the_earliest_one_is_handed_on() -> Result<()> {
    /// Milliseconds that a handler has left.
    async fn left(channel: &Channel, request: Request<u32>) -> Result<u32> {
        client::unary(channel, &ONE, request)
            .await
            .map(Response::into_inner)
    }
    let left_of = |deadline: Deadline| u32::try_from(deadline.remaining().as_millis()).expect("small");
    let inner = Numbers::new()
        .on_one(move |request| {
            let left = request.deadline().map_or(0, left_of);
            assert_eq!(Context::current().deadline(), request.deadline());
            async move { Ok(Response::new(left)) }
        })
        .channel();
    let outer = {
        let inner = inner.clone();
        Numbers::new()
            .on_one(move |request| {
                let inner = inner.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let own = Duration::from_millis(request.into_inner().into());
                    left(&inner, Request::new(0).with_timeout(own))
                        .await
                        .map(Response::new)
                }
            })
            .channel()
    };
    assert_eq!(
        left(&inner, Request::new(0)).await?,
        0,
        "there is none unless somebody sets one"
    );
    assert_eq!(left(&outer, Request::new(5000).with_timeout(SECOND)).await?, 900);
    assert_eq!(left(&outer, Request::new(50).with_timeout(SECOND)).await?, 50);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_done_at_once_arms_no_timer() -> Result<()> {
    let deadline = Deadline::after(SECOND);
    assert_eq!(until(Some(deadline), async { Ok(1) }).await?, 1);
    assert_eq!(until(None, async { Ok(2) }).await?, 2);
    tokio::time::advance(SECOND).await;
    let status = until(Some(deadline), async { Ok(3) })
        .await
        .expect_err("it passed");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    // A timer that was armed goes on with the deadline that it was made for.
    let mut expiry = Expiry::new(Deadline::after(SECOND));
    let start = Instant::now();
    let status = expiry.run(pending::<Result<()>>()).await.expect_err("late");
    assert_passed(&status, start);
    Ok(())
}

#[test]
fn a_deadline_without_end_does_not_overflow() {
    let forever = Deadline::after(Duration::MAX);
    assert!(forever.remaining() > Duration::from_hours(99 * 365 * 24));
    assert_eq!(Deadline::earlier(None, Some(forever)), Some(forever));
    let soon = Deadline::after(SECOND);
    assert_eq!(Deadline::earlier(Some(forever), Some(soon)), Some(soon));
    assert_eq!(
        Context::new()
            .with_deadline(soon)
            .bounded_by(Some(forever))
            .deadline(),
        Some(soon)
    );
}
