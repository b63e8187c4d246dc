//! Calls that are given up: the server learns of each, and the connection lives.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use h2::Reason;
use tokio::task::JoinSet;

use super::support::*;

#[tokio::test(start_paused = true)]
async fn dropping_a_call_resets_its_stream() {
    for method in [&UNARY, &WATCH] {
        let (net, mut incoming) = Net::new();
        let link = link(&net);
        let calling = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.call(&mut call(method, "x")).await }
        });
        let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
        let mut exchange = peer.next().await.unwrap();
        let _peer = peer.detach();
        calling.abort();
        assert!(calling.await.unwrap_err().is_cancelled());
        assert_eq!(reset(&mut exchange).await, Reason::CANCEL);
    }
}

async fn reset(exchange: &mut Exchange) -> Reason {
    within(
        "the reset",
        std::future::poll_fn(|cx| exchange.respond.poll_reset(cx)),
    )
    .await
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_resets_it_in_the_middle() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let (sender, body) = requests();
    let calling = tokio::spawn({
        let link = Arc::clone(&link);
        async move { link.call(&mut streaming_call(&SYNC, body)).await }
    });
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let mut exchange = peer.next().await.unwrap();
    let _peer = peer.detach();
    let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
    stream.send_data(framed(b"one").into(), false).unwrap();
    let mut replies = replies_of(calling.await.unwrap().unwrap());
    assert_eq!(next(&mut replies).await.unwrap().unwrap(), "one");
    assert!(!sender.is_closed());
    drop(replies);
    let seen = within("the reset", std::future::poll_fn(|cx| stream.poll_reset(cx)))
        .await
        .unwrap();
    assert_eq!(seen, Reason::CANCEL);
    within("the request stream is dropped", sender.closed()).await;
}

/// As many as the server allows are dropped at once, and then one that was opened before the connection has got round to it.
#[tokio::test(start_paused = true)]
async fn a_call_that_follows_many_that_were_dropped_can_be_dropped() {
    const LIMIT: usize = 32;
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let server = tokio::spawn(async move {
        let io = incoming.recv().await.unwrap();
        let mut peer = Peer::with(io, |builder| {
            builder.max_concurrent_streams(LIMIT as u32);
        })
        .await;
        let mut downloads = Vec::new();
        for _ in 0..LIMIT {
            let mut exchange = peer.next().await.unwrap();
            downloads.push(exchange.respond.send_response(head(&[]), false).unwrap());
        }
        let mut last = peer.next().await.unwrap();
        let _peer = peer.detach();
        reset(&mut last).await
    });
    let mut downloads = Vec::new();
    for _ in 0..LIMIT {
        downloads.push(replies_of(link.call(&mut call(&WATCH, "x")).await.unwrap()));
    }
    drop(downloads);
    let mut last = call(&UNARY, "x");
    let mut calling = Box::pin(link.call(&mut last));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(calling.as_mut().poll(cx)));
    assert!(polled.await.is_pending(), "nobody has answered it");
    settle().await;
    drop(calling);
    settle().await;
    // Later it would be reset with all that is left of an idle connection.
    assert!(server.is_finished(), "it is reset at once");
    assert_eq!(server.await.unwrap(), Reason::CANCEL);
    assert_eq!(net.dials(), 1);
}

/// A server as strict as h2 makes them by default: it closes a connection at the 21st reset of a stream that it has not
/// accepted yet.
async fn flood(calls: usize, hold: Option<Duration>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let resets = Arc::new(Mutex::new(Vec::new()));
    let (counted, seen) = (Arc::clone(&connections), Arc::clone(&resets));
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            counted.fetch_add(1, SeqCst);
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut peer = Peer::with(io, |builder| {
                    builder.max_concurrent_streams(100_000);
                })
                .await;
                while let Some(mut exchange) = peer.next().await {
                    let seen = Arc::clone(&seen);
                    tokio::spawn(async move {
                        if exchange.read().await.ends_with(b"real") {
                            exchange.answer(&[b"done"], &[("grpc-status", "0")]);
                            return;
                        }
                        let reset = std::future::poll_fn(|cx| exchange.respond.poll_reset(cx)).await;
                        seen.lock()
                            .unwrap()
                            .push(reset.map_err(|error| error.to_string()));
                    });
                }
            });
        }
    });
    assert_eq!(unary(&link, "real").await.unwrap(), "done");
    let mut doomed = JoinSet::new();
    for _ in 0..calls {
        let link = Arc::clone(&link);
        doomed.spawn(async move { unary(&link, "doomed").await });
    }
    match hold {
        Some(hold) => tokio::time::sleep(hold).await,
        None => tokio::task::yield_now().await,
    }
    let bystander = spawn_unary(&link, "real");
    doomed.shutdown().await;
    assert_eq!(within("the bystander", bystander).await.unwrap().unwrap(), "done");
    assert_eq!(
        within("a later call", unary(&link, "real")).await.unwrap(),
        "done"
    );
    // None is forgotten: the server is told of each that it has begun.
    within("the resets", async {
        let mut quiet = 0;
        let mut last = 0;
        while quiet < 10 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = resets.lock().unwrap().len();
            quiet = if now == last { quiet + 1 } else { 0 };
            last = now;
        }
    })
    .await;
    let resets = resets.lock().unwrap();
    let others = resets.iter().filter(|reset| **reset != Ok(Reason::CANCEL));
    assert_eq!(others.collect::<Vec<_>>(), [] as [&Result<Reason, String>; 0]);
    if hold.is_some() {
        assert_eq!(resets.len(), calls);
    }
    assert_eq!(connections.load(SeqCst), 1, "the connection lives");
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_thousand_calls_dropped_at_once_leave_the_connection_alone() {
    flood(5_000, Some(Duration::from_secs(1))).await;
}

#[tokio::test(start_paused = true)]
async fn calls_dropped_right_after_they_were_sent_leave_the_connection_alone() {
    for calls in [1, 15, 50, 900] {
        flood(calls, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn late_answers_to_calls_that_were_given_up_do_no_harm() {
    let (net, link) = served(
        |config| config.max_remembered_resets = 8,
        |mut exchange| async move {
            if exchange.read().await.ends_with(b"slow") {
                // It does not look whether anybody still waits.
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            exchange.answer(&[b"done"], &[("grpc-status", "0")]);
        },
    );
    assert_eq!(unary(&link, "real").await.unwrap(), "done");
    for _ in 0..30 {
        let mut doomed = JoinSet::new();
        for _ in 0..50 {
            let link = Arc::clone(&link);
            doomed.spawn(async move { unary(&link, "slow").await });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        doomed.shutdown().await;
        assert_eq!(unary(&link, "real").await.unwrap(), "done");
    }
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(unary(&link, "real").await.unwrap(), "done");
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_saw_many_cancelled_calls_is_replaced_in_time() {
    for (cancelled, dials) in [("slow", 2), ("half", 2), ("early", 2), ("real", 1)] {
        let (net, link) = served(
            |config| config.max_cancelled_calls = 20,
            |mut exchange| async move {
                let first = exchange.body.data().await.unwrap().unwrap();
                if first.ends_with(b"slow") {
                    std::future::pending::<()>().await;
                }
                if first.ends_with(b"half") {
                    let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
                    stream.send_data(framed(b"half").into(), false).unwrap();
                    std::future::pending::<()>().await;
                }
                exchange.answer(&[b"done"], &[("grpc-status", "0")]);
                // What is left of the request it does not refuse.
                exchange.read().await;
            },
        );
        assert_eq!(unary(&link, "real").await.unwrap(), "done");
        for _ in 0..20 {
            let (sender, body) = requests();
            sender.send(Ok(cancelled.into())).unwrap();
            let calling = tokio::spawn({
                let link = Arc::clone(&link);
                async move { link.call(&mut streaming_call(&SYNC, body)).await }
            });
            settle().await;
            if cancelled == "slow" {
                calling.abort();
                let _ = calling.await;
            } else {
                let mut replies = replies_of(calling.await.unwrap().unwrap());
                next(&mut replies).await.unwrap().unwrap();
                if cancelled == "real" {
                    drop(sender);
                    settle().await;
                }
                if cancelled != "half" {
                    assert!(next(&mut replies).await.is_none());
                }
            }
            assert_eq!(unary(&link, "real").await.unwrap(), "done");
        }
        settle().await;
        assert_eq!(unary(&link, "real").await.unwrap(), "done");
        assert_eq!(net.dials(), dials, "{cancelled}");
    }
}

/// The same over sockets, with both ends truly at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_dropped_at_once_over_sockets_leave_the_connection_alone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = rpc_core::net::Address::Socket(listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                // As hyper has it; with less, h2 takes a thousand small requests for an attack, reset or not.
                builder
                    .max_concurrent_streams(100_000)
                    .initial_connection_window_size(1 << 20);
                let mut h2 = builder.handshake::<_, bytes::Bytes>(io).await.unwrap();
                while let Some(Ok((request, respond))) = h2.accept().await {
                    let (parts, body) = request.into_parts();
                    let request = http::Request::from_parts(parts, ());
                    let mut exchange = Exchange {
                        request,
                        body,
                        respond,
                    };
                    tokio::spawn(async move {
                        if exchange.read().await.ends_with(b"real") {
                            exchange.answer(&[b"done"], &[("grpc-status", "0")]);
                        } else {
                            let _ = std::future::poll_fn(|cx| exchange.respond.poll_reset(cx)).await;
                        }
                    });
                }
            });
        }
    });
    let transport = rpc_grpc::GrpcTransport::new(rpc_grpc::ClientConfig::default()).unwrap();
    let link = rpc_core::transport::Transport::link(&transport, &address);
    assert_eq!(unary(&link, "real").await.unwrap(), "done");
    for _ in 0..5 {
        let mut doomed = JoinSet::new();
        for _ in 0..1_000 {
            let link = Arc::clone(&link);
            doomed.spawn(async move { unary(&link, "doomed").await });
        }
        tokio::task::yield_now().await;
        let bystander = spawn_unary(&link, "real");
        doomed.shutdown().await;
        assert_eq!(soon("the bystander", bystander).await.unwrap().unwrap(), "done");
        assert_eq!(soon("a later call", unary(&link, "real")).await.unwrap(), "done");
    }
    assert_eq!(connections.load(SeqCst), 1, "the connection lives");
    server.abort();
}
