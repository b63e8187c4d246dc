//! A server that stops, or replaces its connections, fails no call.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    BoxFuture, Channel, Code, Request, Response, Streaming, client,
    executor::Executor,
    status::reason,
    transport::{DrainPhase, LinkState},
};
use rpc_framed::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{
    peer::{DEFINE, DRAIN, END, GOAWAY, MESSAGE, Peer, REPLY, REQUEST, Server, call, define, frame},
    service::{Counter, TYPES, TestService},
    support::{Direct, echo, link, pair, pair_with, piped_links, request, serve, serve_one, within},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_replaced_fail_no_call() {
    let service = TestService::new().unary(async |request| {
        if request.message().len() % 2 == 0 {
            tokio::task::yield_now().await;
        }
        Ok(Response::new(request.into_inner()))
    });
    let pair = pair_with(
        service,
        |server| server.max_connection_age = Some(Duration::from_millis(20)),
        |client| client.link.backoff.base = Duration::from_millis(1),
    )
    .await;
    let callers: Vec<_> = (0..8usize)
        .map(|n| {
            let channel = pair.channel.clone();
            tokio::spawn(async move {
                for round in 0..1500usize {
                    let message = Bytes::from(vec![n as u8; (n + round) % 50]);
                    assert_eq!(
                        echo(&channel, message.clone()).await.expect("no call fails"),
                        message
                    );
                }
            })
        })
        .collect();
    for caller in callers {
        within(caller).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn what_runs_goes_on_and_what_is_new_goes_elsewhere() {
    let (begun, gate) = (Counter::default(), Arc::new(tokio::sync::Notify::new()));
    let (begins, opens) = (begun.clone(), Arc::clone(&gate));
    let service = TestService::new().unary(move |request| {
        let (begins, opens) = (begins.clone(), Arc::clone(&opens));
        async move {
            begins.add();
            opens.notified().await;
            Ok(Response::new(request.into_inner()))
        }
    });
    let pair = pair(service).await;
    let channel = pair.channel.clone();
    let runs = tokio::spawn(async move { echo(&channel, "x").await });
    within(begun.reached(1)).await;
    pair.drain.advance(DrainPhase::Draining);
    // The link hears of it, and makes another connection, as it is still wanted.
    let mut states = pair.link.state();
    within(states.changed()).await.expect("the link lives");
    gate.notify_one();
    assert_eq!(within(runs).await.unwrap().expect("it goes on"), "x");
}

#[tokio::test]
async fn streams_are_ended_in_their_phase() {
    let pair = pair(TestService::new()).await;
    let (_sender, rows) = Streaming::<Bytes>::channel(1);
    let chat = within(client::bidi(&pair.channel, &TYPES[3], Request::new(rows))).await;
    let mut chat = chat.expect("it begins").into_inner();
    pair.drain.advance(DrainPhase::Draining);
    pair.drain.advance(DrainPhase::EndingStreams);
    let status = within(chat.message()).await.expect_err("it is ended");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::DRAINING))
    );
}

#[tokio::test]
async fn a_link_that_is_closed_lets_calls_go_on() {
    let begun = Counter::default();
    let (begins, gate) = (begun.clone(), Arc::new(tokio::sync::Notify::new()));
    let opens = Arc::clone(&gate);
    let service = TestService::new().unary(move |request| {
        let (begins, opens) = (begins.clone(), Arc::clone(&opens));
        async move {
            begins.add();
            opens.notified().await;
            Ok(Response::new(request.into_inner()))
        }
    });
    let pair = pair(service).await;
    let channel = pair.channel.clone();
    let runs = tokio::spawn(async move { echo(&channel, "x").await });
    within(begun.reached(1)).await;
    pair.link.close();
    let status = echo(&pair.channel, "y").await.expect_err("it takes no more");
    assert_eq!(status.reason(), Some(reason::CHANNEL_CLOSED));
    gate.notify_one();
    assert_eq!(within(runs).await.unwrap().expect("it goes on"), "x");
    let mut seen = pair.link.state();
    within(seen.wait_for(|state| matches!(state, LinkState::Closed)))
        .await
        .expect("it says so");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_made_again() {
    let (address, _drain) = serve(TestService::new(), |server| {
        server.max_connection_idle = Some(Duration::from_millis(5));
    })
    .await;
    let link = link(&address, |_| ());
    let channel = Channel::new(Direct(Arc::clone(&link)));
    for _ in 0..5 {
        let answer = within(client::unary(&channel, &TYPES[0], request("x"))).await;
        assert_eq!(answer.expect("no call fails").into_inner(), "x");
        let mut states = link.state();
        // It leaves, and either rests or is made again at once.
        let _ = tokio::time::timeout(Duration::from_millis(50), states.changed()).await;
    }
}

/// As many in a row as would have calls fail at once, had they hung up before they were of use.
#[tokio::test(start_paused = true)]
async fn connections_that_go_with_their_first_answer_were_of_use() {
    // One request was taken, and the server is stopping.
    for (kind, payload) in [(DRAIN, &[][..]), (GOAWAY, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0])] {
        let (link, pipes) = piped_links::<6>(1 << 10, |_| ());
        for mut server in pipes.map(Server) {
            let mut called = call(1);
            let (reply, ()) = tokio::join!(within(link.call(&mut called)), async {
                server.greet(1).await;
                let request = server.next_request().await;
                let mut bytes = frame(REPLY, MESSAGE | END, request.slot, request.generation, 0, b"");
                bytes.extend(frame(kind, 0, 0, 0, 0, payload));
                server.write(&bytes).await;
            });
            reply.expect("it is answered");
        }
    }
}

/// What runs on a runtime may want a connection while it is dropped with it.
#[test]
fn a_link_that_is_wanted_while_its_runtime_ends_hangs_nobody() {
    struct WantsOnDrop(Arc<dyn rpc_core::transport::Link>);

    impl Drop for WantsOnDrop {
        fn drop(&mut self) {
            self.0.connect();
        }
    }

    let link = link(&"127.0.0.1:1".parse().unwrap(), |_| ());
    let wants = WantsOnDrop(link.clone());
    let (tell, told) = channel();
    // A thread of its own: one that waits for itself cannot say so.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::spawn(async move {
                let _wants = wants;
                std::future::pending::<()>().await;
            });
            tokio::task::yield_now().await;
        });
        drop(runtime);
        tell.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_mins(1))
        .expect("the runtime ends");
    assert!(matches!(*link.state().borrow(), LinkState::Idle));
}

/// Runs each call to its end in a thread of its own, and says that it is over.
struct Elsewhere(Mutex<Sender<()>>);

impl Executor for Elsewhere {
    fn execute(&self, task: BoxFuture<'static, ()>) {
        let over = self.0.lock().unwrap().clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(task);
            let _ = over.send(());
        });
    }
}

/// A pipe whose owner, when it finds nothing more to write, is held up until the call is over that was let go.
struct HeldUp {
    pipe: DuplexStream,
    lets_go: Arc<Mutex<Option<tokio::sync::oneshot::Sender<()>>>>,
    over: Receiver<()>,
}

impl AsyncRead for HeldUp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HeldUp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<io::Result<()>> {
        let lets_go = self.lets_go.lock().unwrap().take();
        if let Some(lets_go) = lets_go {
            lets_go.send(()).expect("the call waits for it");
            self.over
                .recv_timeout(Duration::from_mins(1))
                .expect("the call is over");
        }
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn the_last_answer_arrives_whenever_it_is_made() {
    let (gate, opened) = tokio::sync::oneshot::channel::<()>();
    let opened = Mutex::new(Some(opened));
    let service = TestService::new().unary(move |request| {
        let opened = opened.lock().unwrap().take().expect("it is the only call");
        async move {
            opened.await.expect("it is let go");
            Ok(Response::new(request.into_inner()))
        }
    });
    let (says, over) = channel();
    let (pipe, theirs) = tokio::io::duplex(1 << 16);
    let lets_go = Arc::default();
    let io = HeldUp {
        pipe,
        lets_go: Arc::clone(&lets_go),
        over,
    };
    let mut config = ServerConfig::default();
    config.executor = Some(Arc::new(Elsewhere(Mutex::new(says))));
    let (served, stop) = serve_one(service, io, config);

    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let payload = define("/test.Test/Unary", b"x");
    peer.write(&frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload))
        .await;
    stop.advance(DrainPhase::Draining);
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(DRAIN));
    // The call ends when the server has written its GOAWAY, and looks whether that was all.
    *lets_go.lock().unwrap() = Some(gate);
    peer.write(&frame(DRAIN, 0, 0, 0, 0, &[])).await;
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(GOAWAY));
    let reply = peer.read().await.expect("it was made in time");
    assert_eq!((reply.kind, reply.payload.as_slice()), (REPLY, &b"x"[..]));
    within(served).await.expect("it ends with its last call");
}
