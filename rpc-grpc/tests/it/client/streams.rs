//! Streams either way: order, ends, failures, and readers that are slow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{Code, Status};

use super::support::*;

const OK: (&str, &str) = ("grpc-status", "0");

#[tokio::test(start_paused = true)]
async fn a_stream_of_answers_ends_with_its_trailers() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            exchange.answer(&[b"one", b"", b"three"], &[OK, ("x-end", "end")]);
        },
    );
    let reply = link.call(&mut call(&WATCH, "x")).await.unwrap();
    assert_eq!(reply.peer.as_deref(), Some(&address()));
    let mut replies = replies_of(reply);
    for expected in ["one", "", "three"] {
        assert_eq!(next(&mut replies).await.unwrap().unwrap(), expected);
    }
    assert!(next(&mut replies).await.is_none());
    assert_eq!(replies.take_trailers().get("x-end"), Some("end"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_stream_may_be_one_block() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move { exchange.end(&[OK, ("x-end", "end")]) },
    );
    let mut replies = replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap());
    assert!(next(&mut replies).await.is_none());
    assert_eq!(replies.take_trailers().get("x-end"), Some("end"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_servers_status() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            exchange.answer(&[b"one"], &[("grpc-status", "9"), ("grpc-message", "no more")]);
        },
    );
    let mut replies = replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap());
    assert_eq!(next(&mut replies).await.unwrap().unwrap(), "one");
    let status = next(&mut replies).await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "no more")
    );
    assert_eq!(status.place().peer(), Some(&address()));
    assert!(next(&mut replies).await.is_none(), "it stays at the end");
}

/// Answers with so many records of 15 bytes, each in a frame of its own, as there is room; with fewer if the call is given up.
async fn send_records(mut exchange: Exchange, count: usize) {
    let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
    let record = Bytes::from(framed(&[7; 15]));
    for _ in 0..count {
        while stream.capacity() < record.len() {
            stream.reserve_capacity(record.len());
            let Some(Ok(_)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else {
                return;
            };
        }
        stream.send_data(record.clone(), false).unwrap();
    }
    stream.send_trailers(headers(&[OK])).unwrap();
}

/// A server that puts each record into a frame of its own, and sends more of them than the window has room for.
#[tokio::test(start_paused = true)]
async fn small_answers_that_are_read_slowly_are_held_back_and_no_attack() {
    const RECORDS: usize = 110_000;
    let (net, link) = served(|_| (), |exchange| send_records(exchange, RECORDS));
    let mut replies = replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap());
    // Until nothing goes on by itself.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..RECORDS {
        if n % 1000 == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(next(&mut replies).await.unwrap().unwrap().len(), 15, "{n}");
    }
    assert!(next(&mut replies).await.is_none());
    assert_eq!(net.dials(), 1);
}

/// What was on its way is passed over, a few windows full of it at least.
#[tokio::test(start_paused = true)]
async fn small_answers_that_are_given_up_leave_other_calls_alone() {
    let (release, released) = tokio::sync::watch::channel(());
    let (net, link) = served(
        |_| (),
        move |mut exchange| {
            let mut released = released.clone();
            async move {
                if exchange.request.uri().path() == "/t.S/Watch" {
                    return send_records(exchange, 90_000).await;
                }
                let _ = released.changed().await;
                exchange.answer(&[b"held"], &[OK]);
            }
        },
    );
    let held = spawn_unary(&link, "x");
    settle().await;
    for _ in 0..3 {
        let mut replies = replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap());
        assert_eq!(next(&mut replies).await.unwrap().unwrap().len(), 15);
        drop(replies);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(release);
    assert_eq!(
        within("the call that was held", held).await.unwrap().unwrap(),
        "held"
    );
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_is_no_end() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
            stream.send_data(framed(b"one").into(), false).unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
        },
    );
    let mut replies = replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap());
    assert_eq!(next(&mut replies).await.unwrap().unwrap(), "one");
    assert_eq!(
        next(&mut replies).await.unwrap().unwrap_err().code(),
        Code::Internal
    );
}

#[tokio::test(start_paused = true)]
async fn uploads_and_both_ways() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            if exchange.request.uri().path() == "/t.S/Upload" {
                return exchange.echo().await;
            }
            let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
            while let Some(data) = exchange.body.data().await {
                stream.send_data(data.unwrap(), false).unwrap();
            }
            stream.send_trailers(headers(&[OK])).unwrap();
        },
    );
    let (sender, body) = requests();
    sender.send(Ok("one".into())).unwrap();
    drop(sender);
    let reply = link.call(&mut streaming_call(&UPLOAD, body)).await.unwrap();
    assert_eq!(message_of(reply), "one");

    let (sender, body) = requests();
    let reply = within(
        "headers come before any request",
        link.call(&mut streaming_call(&SYNC, body)),
    )
    .await
    .unwrap();
    let mut replies = replies_of(reply);
    for n in ["a", "b", "c"] {
        sender.send(Ok(n.into())).unwrap();
        assert_eq!(within("the echo", next(&mut replies)).await.unwrap().unwrap(), n);
    }
    drop(sender);
    assert!(within("the end", next(&mut replies)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn requests_flow_while_nobody_reads_the_answers() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&arrived);
    let (_net, link) = served(
        |_| (),
        move |mut exchange| {
            let counter = Arc::clone(&counter);
            async move {
                let _stream = exchange.respond.send_response(head(&[]), false).unwrap();
                while let Some(Ok(data)) = exchange.body.data().await {
                    counter.fetch_add(data.len(), SeqCst);
                }
            }
        },
    );
    let (sender, body) = requests();
    let _replies = replies_of(link.call(&mut streaming_call(&SYNC, body)).await.unwrap());
    for _ in 0..10 {
        sender.send(Ok("12345".into())).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(arrived.load(SeqCst), 100);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_answers_ends_the_requests() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            exchange.answer(&[b"one"], &[OK]);
            exchange.read().await;
        },
    );
    let (sender, body) = requests();
    let mut replies = replies_of(link.call(&mut streaming_call(&SYNC, body)).await.unwrap());
    assert_eq!(next(&mut replies).await.unwrap().unwrap(), "one");
    assert!(next(&mut replies).await.is_none());
    within("the request stream is dropped", sender.closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_stops_the_sender() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let (_net, link) = served(
        |config| {
            config.stream_window_bytes = 100_000;
            config.connection_window_bytes = 1 << 20;
        },
        move |mut exchange| {
            let counter = Arc::clone(&counter);
            async move {
                let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
                let message = framed(&[7; 995]);
                loop {
                    stream.reserve_capacity(1000);
                    while stream.capacity() < 1000 {
                        if std::future::poll_fn(|cx| stream.poll_capacity(cx))
                            .await
                            .is_none()
                        {
                            return;
                        }
                    }
                    stream.send_data(Bytes::from(message.clone()), false).unwrap();
                    counter.fetch_add(1000, SeqCst);
                }
            }
        },
    );
    let mut replies = replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap());
    let mut read = 0;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let ahead = sent.load(SeqCst) - read;
        assert!(ahead <= 200_000, "{ahead} bytes are under way");
        for _ in 0..100 {
            read += next(&mut replies).await.unwrap().unwrap().len() + 5;
        }
    }
    assert!(read >= 2_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_stops_our_requests() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let _stream = exchange.respond.send_response(head(&[]), false).unwrap();
            // It never reads.
            std::future::poll_fn(|cx| exchange.respond.poll_reset(cx))
                .await
                .unwrap();
        },
    );
    let taken = Arc::new(AtomicUsize::new(0));
    let body = rpc_core::Body::Outgoing(Box::new(Endless(Arc::clone(&taken))));
    let replies = link.call(&mut streaming_call(&SYNC, body)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let ahead = taken.load(SeqCst);
    assert!(ahead < 1 << 20, "{ahead} bytes were taken from the stream");
    drop(replies);
}

/// Requests without end.
struct Endless(Arc<AtomicUsize>);

impl rpc_core::message::Outgoing for Endless {
    fn poll_encode(
        &mut self,
        _: &mut std::task::Context<'_>,
        out: &mut bytes::BytesMut,
    ) -> std::task::Poll<Option<Result<(), Status>>> {
        out.extend_from_slice(&[0; 10_000]);
        self.0.fetch_add(10_000, SeqCst);
        std::task::Poll::Ready(Some(Ok(())))
    }
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
