//! Executors that do not run what they are handed to its end: its caller hears of it.

use std::{
    future::{pending, ready},
    sync::{Arc, Mutex, mpsc},
    task::{Context as Poller, Waker},
    time::Duration,
};

use rpc_core::{
    BoxFuture, Channel, Code, Response, Status, Streaming, client, executor::Executor, status::reason,
    transport::DrainPhase,
};
use rpc_framed::ServerConfig;
use tokio::sync::oneshot;

use super::{
    peer::{CANCEL, DEFINE, END, MESSAGE, PING, PONG, Peer, REQUEST, define, frame},
    service::{TYPES, TestService},
    support::{Direct, echo, pair_with, piped_links, request, serve_one, within},
};

/// Polls what it is handed so many times, and drops it then.
struct Drops {
    polls: usize,
}

impl Executor for Drops {
    fn execute(&self, mut task: BoxFuture<'static, ()>) {
        for _ in 0..self.polls {
            let polled = task.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
            if polled.is_ready() {
                return;
            }
        }
    }
}

/// Echoes, but for the message for which it waits for good.
fn service() -> TestService {
    TestService::new().unary(async |request| {
        if request.message() == "wait" {
            pending::<()>().await;
        }
        Ok(Response::new(request.into_inner()))
    })
}

#[tokio::test]
async fn a_call_that_its_executor_drops_fails() {
    for polls in [0, 1, 2] {
        let pair = pair_with(
            service(),
            |config| config.executor = Some(Arc::new(Drops { polls })),
            |_| (),
        )
        .await;
        // Twice: the place of the first is used again.
        for _ in 0..2 {
            let status = echo(&pair.channel, "wait").await.expect_err("it is dropped");
            assert_eq!(
                (status.code(), status.reason()),
                (Code::Unavailable, Some(reason::HANDLER_DROPPED))
            );
            assert_eq!(status.was_processed(), polls > 0, "after {polls} polls");
        }
        let answer = echo(&pair.channel, "x").await;
        assert_eq!(answer.is_ok(), polls > 0, "{answer:?}");
    }
}

/// Keeps what it is handed.
#[derive(Default)]
struct Keeps(Mutex<Vec<BoxFuture<'static, ()>>>);

impl Executor for Keeps {
    fn execute(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().unwrap().push(task);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_begun_when_its_server_stops_goes_elsewhere() {
    for begun in [false, true] {
        let (link, [first, second]) = piped_links(1 << 16, |_| ());
        let keeps = Arc::<Keeps>::default();
        let mut config = ServerConfig::default();
        config.executor = Some(Arc::clone(&keeps) as Arc<dyn Executor>);
        let waits = TestService::new().download(|_| pending());
        let (_served, drain) = serve_one(waits, first, config);
        let (_other, _stop) = serve_one(TestService::new(), second, ServerConfig::default());
        let channel = Channel::new(Direct(link));
        let called = client::server_streaming(&channel, &TYPES[2], request("x"));
        let (ended, ()) = tokio::join!(within(called), async {
            // Until it is there, and until the server knows that it stops.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut call = keeps.0.lock().unwrap().pop().expect("it was handed over");
            if begun {
                let polled = call.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
                assert!(polled.is_pending());
            }
            drain.advance(DrainPhase::Draining);
            drain.advance(DrainPhase::EndingStreams);
            tokio::time::sleep(Duration::from_millis(1)).await;
            call.await;
        });
        if begun {
            let status = ended.map(drop).expect_err("its handler waits");
            assert_eq!(status.reason(), Some(reason::DRAINING));
            assert!(status.was_processed());
        } else {
            let mut messages = ended.expect("the other server takes it").into_inner();
            let first = within(messages.message()).await.expect("it is answered");
            assert_eq!(first.as_deref(), Some(&b"x"[..]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_dropped_call_that_was_given_up_before() {
    let keeps = Arc::<Keeps>::default();
    let mut config = ServerConfig::default();
    config.executor = Some(Arc::clone(&keeps) as Arc<dyn Executor>);
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(TestService::new(), ours, config);
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let payload = define("/test.Test/Unary", b"x");
    peer.write(&frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload))
        .await;
    peer.write(&frame(CANCEL, 0, 0, 1, 0, &[])).await;
    let ping = frame(PING, 0, 0, 0, 0, &[0; 8]);
    peer.write(&ping).await;
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(PONG));
    let kept: Vec<_> = std::mem::take(&mut *keeps.0.lock().unwrap());
    assert_eq!(kept.len(), 1);
    drop(kept);
    peer.write(&ping).await;
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(PONG));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_call_that_was_given_up_while_its_handler_blocked() {
    for (method, message) in [
        ("Unary", "x"),
        ("Unary", "fail"),
        ("Download", "x"),
        ("Download", "stream"),
    ] {
        let (begins, begun) = oneshot::channel();
        let (lets_go, gate) = mpsc::channel();
        let blocks = Arc::new(Mutex::new(Some((begins, gate))));
        let block = move || {
            let (begins, gate) = blocks.lock().unwrap().take().expect("it blocks once");
            begins.send(()).expect("it is waited for");
            gate.recv_timeout(Duration::from_mins(1)).expect("it is let go");
        };
        let blocks = block.clone();
        let service = TestService::new()
            .unary(move |request| {
                block();
                let fails = request.message() == "fail";
                let answer = Response::new(request.into_inner());
                ready(if fails {
                    Err(Status::internal("x"))
                } else {
                    Ok(answer)
                })
            })
            .download(move |request| {
                let message = request.into_inner();
                if message == "stream" {
                    let blocks = blocks.clone();
                    let rows = std::iter::from_fn(move || {
                        blocks();
                        None
                    });
                    return ready(Ok(Response::new(Streaming::from_iter(rows))));
                }
                blocks();
                ready(Ok(Response::new(Streaming::from_iter([message]))))
            });
        let keeps = Arc::<Keeps>::default();
        let mut config = ServerConfig::default();
        config.executor = Some(Arc::clone(&keeps) as Arc<dyn Executor>);
        let (theirs, ours) = tokio::io::duplex(1 << 16);
        let (_served, _drain) = serve_one(service, ours, config);
        let mut peer = Peer(theirs);
        peer.greet(&[]).await;
        let payload = define(&format!("/test.Test/{method}"), message.as_bytes());
        peer.write(&frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload))
            .await;
        let ping = frame(PING, 0, 0, 0, 0, &[0; 8]);
        peer.write(&ping).await;
        assert_eq!(peer.read().await.map(|frame| frame.kind), Some(PONG));
        let mut call = keeps.0.lock().unwrap().pop().expect("it was handed over");
        let runs = tokio::task::spawn_blocking(move || {
            call.as_mut()
                .poll(&mut Poller::from_waker(Waker::noop()))
                .is_ready()
        });
        begun.await.expect("it begins");
        peer.write(&frame(CANCEL, 0, 0, 1, 0, &[])).await;
        peer.write(&ping).await;
        assert_eq!(peer.read().await.map(|frame| frame.kind), Some(PONG));
        lets_go.send(()).expect("it waits");
        assert!(runs.await.expect("it does not panic"), "it is over");
        peer.write(&ping).await;
        let next = peer.read().await.map(|frame| frame.kind);
        assert_eq!(next, Some(PONG), "{method} {message}");
    }
}
