//! What a connection holds for its calls is bounded, and is given back however they end: on paused time, over a pipe in memory.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context as Poller, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{Body, Channel, Request, Response, Status, Streaming, client, transport::Link};
use rpc_framed::ServerConfig;
use tokio::{sync::Notify, task::JoinSet};

use super::{
    peer::{
        CHUNK, DEFINE, DRAIN, END, ERROR, MESSAGE, Peer, REPLY, REQUEST, STREAM_END, Server, begin, call,
        connect, connected, define, frame, send_large,
    },
    service::{Counter, TYPES, TestService},
    support::{Direct, echo, piped_links, serve_one, within},
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_looked_at_give_back_what_they_held() {
    const BYTES: usize = 700 << 10;
    let (link, mut server) = connected(1 << 16, 10, |config| config.max_buffered_bytes = 1 << 20).await;
    // The first is not complete, the others are.
    for complete in [false, true, true, true] {
        let mut given_up = call(1);
        let mut given_up = Box::pin(link.call(&mut given_up));
        let request = begin(given_up.as_mut(), &mut server).await;
        server.answer_large(&request, BYTES, complete).await;
    }
    let mut last = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut last)), async {
        let request = server.next_request().await;
        server.answer_large(&request, BYTES, true).await;
    });
    let Body::Encoded(message) = reply.expect("it is answered").body else {
        panic!("it has one message");
    };
    assert_eq!(message.bytes.len(), BYTES);
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_room_where_the_server_does_not_read() {
    const BYTES: usize = 1000;
    const CALLS: usize = 4;
    let (link, mut server) =
        connected(1 << 10, CALLS as u32, |config| config.max_unwritten_bytes = 250).await;
    for _ in 0..50 {
        let mut given_up = JoinSet::new();
        for _ in 0..CALLS {
            let link = Arc::clone(&link);
            given_up.spawn(async move {
                let mut call = call(BYTES);
                let ended = tokio::time::timeout(MS, link.call(&mut call)).await;
                assert!(ended.is_err(), "nobody answers");
            });
        }
        within(given_up.join_all()).await;
    }
    // Those that waited gave their slots back, and go on when there is room.
    let mut calls = JoinSet::new();
    for _ in 0..10 * CALLS {
        let link = Arc::clone(&link);
        calls.spawn(async move { link.call(&mut call(BYTES + 1)).await.map(drop) });
    }
    let (mut before, mut answered) = (0, 0);
    while answered < 10 * CALLS {
        let request = server.next_request().await;
        if request.payload.len() == BYTES {
            before += 1;
            continue;
        }
        server.answer(&request).await;
        answered += 1;
    }
    for ended in within(calls.join_all()).await {
        ended.expect("it is answered");
    }
    // In the pipe, taken to be written, and waiting.
    assert!((2..=6).contains(&before), "{before} requests were held");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_room_for_as_long_as_others_call() {
    const CALLERS: usize = 40;
    const ANSWERS: usize = 1000;
    for at_once in [1, 10] {
        let (link, mut server) = connected(1 << 10, 64, |config| config.max_unwritten_bytes = 250).await;
        let answered = Arc::new([const { AtomicUsize::new(0) }; CALLERS]);
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (link, answered) = (Arc::clone(&link), Arc::clone(&answered));
            callers.spawn(async move {
                loop {
                    link.call(&mut call(100)).await.expect("it is answered");
                    answered[caller].fetch_add(1, Relaxed);
                }
            });
        }
        let rows = Streaming::from_iter(vec![Bytes::from_static(&[7; 100]); 100]);
        let channel = Channel::new(Direct(link));
        callers.spawn(async move {
            let upload = client::client_streaming(&channel, &TYPES[1], Request::new(rows));
            panic!("nobody answers it: {:?}", upload.await.map(drop));
        });
        let (mut requests, mut rows) = (Vec::new(), 0);
        for _ in 0..ANSWERS / at_once {
            while requests.len() < at_once {
                let frame = server.next().await;
                match frame.kind {
                    REQUEST if frame.flags & END != 0 => requests.push(frame),
                    CHUNK => rows += 1,
                    _ => {}
                }
            }
            tokio::time::sleep(MS).await;
            for request in requests.drain(..) {
                server.answer(&request).await;
            }
        }
        let least = answered.iter().map(|answered| answered.load(Relaxed)).min();
        assert!(least > Some(0), "{at_once}: {answered:?}");
        assert!(rows >= 10, "{at_once}: {rows} rows were sent");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_gets_it_in_turn() {
    const CALLS: usize = 40;
    let (link, mut server) = connected(1 << 10, 64, |config| config.max_unwritten_bytes = 250).await;
    let mut calls = JoinSet::new();
    let mut ask = |bytes| {
        let link = Arc::clone(&link);
        calls.spawn(async move { link.call(&mut call(bytes)).await.map(drop) });
    };
    (100..100 + CALLS).for_each(&mut ask);
    for asked in 100..100 + CALLS {
        if asked == 100 + CALLS / 2 {
            // It comes while others wait.
            ask(99);
            tokio::time::sleep(MS).await;
        }
        assert_eq!(server.next_request().await.payload.len(), asked);
    }
    assert_eq!(server.next_request().await.payload.len(), 99);
}

/// A task, of which it is counted who would wake it.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test(start_paused = true)]
async fn who_stops_to_wait_for_room_is_not_to_be_woken_any_more() {
    let (link, _server) = connected(1 << 10, 100, |config| config.max_unwritten_bytes = 250).await;
    let channel = Channel::new(Direct(Arc::clone(&link)));
    let mut fill: Vec<_> = (0..4).map(|_| call(1000)).collect();
    let mut fill: Vec<_> = fill.iter_mut().map(|call| link.call(call)).collect();
    // No room for a message of a stream, whose request goes, and then none for a request.
    for streams in [true, false] {
        for call in &mut fill[if streams { 0..2 } else { 2..4 }] {
            let polled = Pin::new(call).poll(&mut Poller::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        // Until what goes is written. Nothing is read.
        tokio::time::sleep(MS).await;
        for _ in 0..3 {
            let task = Arc::new(Task);
            let waker = Waker::from(Arc::clone(&task));
            let mut waits: Pin<Box<dyn Future<Output = bool>>> = if streams {
                let rows = Streaming::from_iter([Bytes::from_static(b"row")]);
                let upload = client::client_streaming(&channel, &TYPES[1], Request::new(rows));
                Box::pin(async { upload.await.is_ok() })
            } else {
                Box::pin(async { link.call(&mut call(1000)).await.is_ok() })
            };
            for _ in 0..2 {
                let polled = waits.as_mut().poll(&mut Poller::from_waker(&waker));
                assert!(polled.is_pending());
            }
            assert!(Arc::strong_count(&task) > 2, "it waits");
            drop((waits, waker));
            assert_eq!(Arc::strong_count(&task), 1, "streams: {streams}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_goes_elsewhere_when_the_server_drains() {
    const CALLS: usize = 10;
    // Bytes that are there are appended as they are; a large value is not even encoded as long as there is no room.
    goes_elsewhere(
        CALLS,
        |link| async move { link.call(&mut call(1000)).await.map(drop) },
    )
    .await;
    goes_elsewhere(CALLS, |link| async move {
        let large = Bytes::from(vec![7; 20_000]);
        echo(&Channel::new(Direct(link)), large).await.map(drop)
    })
    .await;
}

async fn goes_elsewhere<F>(count: usize, call: impl Fn(Arc<dyn Link>) -> F)
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (link, pipes) = piped_links(1 << 10, |config| config.max_unwritten_bytes = 250);
    let [mut server, mut other] = pipes.map(Server);
    connect(&link, &mut server, count as u32).await;
    let mut calls = JoinSet::new();
    for _ in 0..count {
        calls.spawn(call(Arc::clone(&link)));
    }
    // Until some wait. No request is read.
    tokio::time::sleep(MS).await;
    server.write(&frame(DRAIN, 0, 0, 0, 0, &[])).await;
    other.greet(count as u32).await;
    for _ in 0..4 {
        let request = other.next_request().await;
        other.answer(&request).await;
        within(calls.join_next())
            .await
            .unwrap()
            .unwrap()
            .expect("it is answered");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_has_taken_yet_hold_up_no_other() {
    const BYTES: usize = 700 << 10;
    let (link, mut server) = connected(1 << 16, 10, |config| config.max_buffered_bytes = 1 << 20).await;
    let mut calls: Vec<_> = (0..5).map(|_| call(1)).collect();
    let mut untaken = Vec::new();
    for call in &mut calls {
        let mut call = Box::pin(link.call(call));
        let request = begin(call.as_mut(), &mut server).await;
        server.answer_large(&request, BYTES, true).await;
        untaken.push(call);
    }
    for call in untaken {
        let reply = within(call).await.expect("it is answered");
        assert!(matches!(reply.body, Body::Encoded(message) if message.bytes.len() == BYTES));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_broke_off_and_that_nobody_looks_at_holds_up_no_other() {
    const BYTES: usize = 700 << 10;
    let failure = [0; 4];
    for (kind, payload) in [(STREAM_END, &failure[..0]), (ERROR, &failure)] {
        let (link, mut server) = connected(1 << 16, 10, |config| config.max_buffered_bytes = 1 << 20).await;
        let mut broken = call(1);
        let mut broken = Box::pin(link.call(&mut broken));
        let request = begin(broken.as_mut(), &mut server).await;
        server.answer_large(&request, BYTES, false).await;
        let end = frame(kind, END, request.slot, request.generation, 13, payload);
        server.write(&end).await;
        let mut other = call(1);
        let (reply, ()) = tokio::join!(within(link.call(&mut other)), async {
            let request = server.next_request().await;
            server.answer_large(&request, BYTES, true).await;
        });
        reply.expect("it is answered");
        assert!(within(broken).await.is_err(), "it is not complete");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_broke_off_and_that_nobody_reads_holds_up_no_other() {
    const BYTES: usize = 700 << 10;
    let service = TestService::new().upload(async |request| {
        let mut stream = request.into_inner();
        let first = stream.message().await?.unwrap_or_default();
        if first == "wait" {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(Bytes::from(vec![first[0]])))
    });
    let mut config = ServerConfig::default();
    config.max_buffered_bytes = 1 << 20;
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(service, ours, config);
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let upload = define("/test.Test/Upload", b"");
    peer.write(&frame(REQUEST, DEFINE, 0, 1, 0, &upload)).await;
    peer.write(&frame(CHUNK, MESSAGE, 0, 1, 0, b"wait")).await;
    send_large(&mut peer.0, 0, 1, BYTES, false).await;
    peer.write(&frame(STREAM_END, END, 0, 1, 0, b"")).await;
    peer.write(&frame(REQUEST, 0, 1, 1, 0, b"")).await;
    send_large(&mut peer.0, 1, 1, BYTES, true).await;
    let reply = loop {
        let frame = peer.read().await.expect("an answer");
        if frame.kind == REPLY {
            break frame;
        }
    };
    assert_eq!((reply.slot, reply.payload.as_slice()), (1, &[7][..]));
}

#[tokio::test(start_paused = true)]
async fn answers_wait_for_room_where_the_client_does_not_read() {
    const BYTES: usize = 1000;
    const CALLS: u32 = 100;
    let (begun, gate, unsent) = (Counter::default(), Arc::new(Notify::new()), Arc::new(()));
    let (begins, opens, held) = (begun.clone(), Arc::clone(&gate), Arc::clone(&unsent));
    let service = TestService::new().unary(move |_| {
        let (begins, opens, held) = (begins.clone(), Arc::clone(&opens), Arc::clone(&held));
        async move {
            let opened = opens.notified();
            begins.add();
            opened.await;
            let mut response = Response::new(Bytes::from(vec![7; BYTES]));
            response.extensions_mut().insert(held);
            Ok(response)
        }
    });
    let mut config = ServerConfig::default();
    config.max_unwritten_bytes = 1000;
    let (theirs, ours) = tokio::io::duplex(1 << 10);
    let (_served, _drain) = serve_one(service, ours, config);
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let mut payload = define("/test.Test/Unary", b"");
    let mut flags = DEFINE | MESSAGE | END;
    for slot in 0..CALLS {
        peer.write(&frame(REQUEST, flags, slot, 1, 0, &payload)).await;
        payload.clear();
        flags = MESSAGE | END;
    }
    within(begun.reached(CALLS as usize)).await;
    gate.notify_waiters();
    // Until all that are not held up are answered.
    tokio::time::sleep(MS).await;
    // The service has one, and so does the test.
    let waiting = Arc::strong_count(&unsent) - 2;
    assert!(waiting >= 80, "{waiting} answers wait");
    for _ in 0..CALLS {
        let reply = peer.read().await.expect("the connection lives");
        assert_eq!((reply.kind, reply.payload.len()), (REPLY, BYTES));
    }
}
