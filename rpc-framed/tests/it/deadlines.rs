//! Deadlines and cancellation reach the handler, and deadlines the caller.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context as Poller, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    Call, Code, Context, Deadline, Response, context::DeadlineQueue, message::Encoded, status::reason,
    transport::Link,
};
use tokio::{task::JoinSet, time::Instant};

use super::{
    peer::{CANCEL, REQUEST, Server},
    service::{Counter, Dropped, TYPES, TestService},
    support::{echo, pair, piped_link, within},
};

const MS: Duration = Duration::from_millis(1);

/// A link over a pipe, and its server's end.
fn piped() -> (Arc<dyn Link>, Server) {
    let (link, theirs) = piped_link(1 << 16, |_| ());
    (link, Server(theirs))
}

/// Calls with a deadline, as a client does that has all its deadlines in one queue. Answers how it ended, and when.
async fn bounded(link: Arc<dyn Link>, queue: DeadlineQueue, time: Duration) -> (Result<(), Code>, Duration) {
    let start = Instant::now();
    let deadline = Deadline::after(time);
    let mut call = call("x");
    call.context = Context::new().with_deadline(deadline);
    let ended = queue.within(deadline, link.call(&mut call)).await;
    (ended.map(drop).map_err(|status| status.code()), start.elapsed())
}

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
    let started = Instant::now();
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

#[tokio::test(start_paused = true)]
async fn each_call_ends_at_its_own_deadline() {
    let ((link, mut server), queue) = (piped(), DeadlineQueue::new());
    let mut calls = JoinSet::new();
    // Neither rising nor falling, and some twice.
    let times = (0..200).map(|n| (n * 7919 % 400 / 2 + 1) * MS);
    for time in times.clone() {
        let (link, queue) = (Arc::clone(&link), queue.clone());
        calls.spawn(async move { (time, bounded(link, queue, time).await) });
    }
    server.greet(1000).await;
    let (mut asked, mut cancelled) = (0, 0);
    while cancelled < times.len() {
        match within(server.next()).await.kind {
            REQUEST => asked += 1,
            CANCEL => cancelled += 1,
            kind => panic!("a frame of kind {kind}"),
        }
    }
    assert_eq!(asked, times.len());
    for (time, (ended, took)) in within(calls.join_all()).await {
        assert_eq!(ended, Err(Code::DeadlineExceeded));
        assert!((time..=time + MS).contains(&took), "{took:?} instead of {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_that_was_answered_ends_no_other() {
    let ((link, mut server), queue) = (piped(), DeadlineQueue::new());
    let early = tokio::spawn(bounded(Arc::clone(&link), queue.clone(), 10 * MS));
    server.greet(1000).await;
    let first = server.next().await;
    tokio::time::sleep(5 * MS).await;
    server.answer(&first).await;
    assert_eq!(within(early).await.unwrap(), (Ok(()), 5 * MS));

    // It has the same slot, and waits when the deadline of the first one comes.
    let late = tokio::spawn(bounded(link, queue, 100 * MS));
    let second = server.next().await;
    assert_eq!(first.slot, second.slot);
    tokio::time::sleep(50 * MS).await;
    server.answer(&second).await;
    assert_eq!(within(late).await.unwrap(), (Ok(()), 50 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_as_it_is_sent_leaves_its_deadline_to_the_queue() {
    let ((link, mut server), queue) = (piped(), DeadlineQueue::new());
    let first = tokio::spawn(bounded(Arc::clone(&link), queue.clone(), 100 * MS));
    server.greet(1000).await;
    let request = server.next().await;
    server.answer(&request).await;
    assert_eq!(within(first).await.unwrap().0, Ok(()));

    let deadline = Deadline::after(20 * MS);
    let goes_on = async {
        let mut call = call("x");
        call.context = Context::new().with_deadline(deadline);
        let is_done = poll_fn(|cx| Poll::Ready(pin!(link.call(&mut call)).poll(cx).is_ready())).await;
        assert!(!is_done);
        std::future::pending().await
    };
    let ended: Result<(), _> = within(queue.within(deadline, goes_on)).await;
    assert_eq!(ended.map_err(|status| status.code()), Err(Code::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_changes_its_task_is_woken_there() {
    let ((link, mut server), queue) = (piped(), DeadlineQueue::new());
    let mut call = Box::pin(bounded(link, queue, 20 * MS));
    // Until it is sent.
    let asked = {
        let mut asked = pin!(async {
            server.greet(1000).await;
            server.next().await.kind
        });
        poll_fn(|cx| {
            let is_pending = call.as_mut().poll(cx).is_pending();
            assert!(is_pending);
            asked.as_mut().poll(cx)
        })
        .await
    };
    assert_eq!(asked, REQUEST);
    let polled = call.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
    let (ended, took) = within(tokio::spawn(call)).await.unwrap();
    assert_eq!(ended, Err(Code::DeadlineExceeded));
    assert!((20 * MS..=21 * MS).contains(&took), "{took:?}");
    assert_eq!(server.next().await.kind, CANCEL);
}
