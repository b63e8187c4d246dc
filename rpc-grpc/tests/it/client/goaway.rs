//! Connections that the server closes, and streams that it refuses: nobody notices.

use h2::Reason;
use rpc_core::{Code, status::reason};

use super::support::*;

const OK: (&str, &str) = ("grpc-status", "0");

#[tokio::test(start_paused = true)]
async fn calls_that_run_go_on_and_new_ones_go_elsewhere() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let first = spawn_unary(&link, "first");
    let mut old = Peer::on(incoming.recv().await.unwrap()).await;
    let running = old.next().await.unwrap();
    old.h2.graceful_shutdown();
    let old = tokio::spawn(old.finish());
    // It dials the next one by itself.
    let mut new = Peer::on(within("the next connect", incoming.recv()).await.unwrap()).await;
    let second = spawn_unary(&link, "second");
    new.next().await.unwrap().echo().await;
    let _new = new.detach();
    assert_eq!(second.await.unwrap().unwrap(), "second");
    assert!(!first.is_finished());
    running.echo().await;
    assert_eq!(first.await.unwrap().unwrap(), "first");
    within("the old connection ends", old).await.unwrap();
    assert_eq!(net.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_above_the_last_stream_is_sent_again() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let call = spawn_unary(&link, "x");
    let mut old = RawPeer::on(incoming.recv().await.unwrap()).await;
    while old.frame().await.kind != HEADERS {}
    // No stream was taken: the last one is 0.
    old.write(GOAWAY, 0, 0, &[0; 8]).await;
    let mut new = Peer::on(within("the next connect", incoming.recv()).await.unwrap()).await;
    within("the request", new.next()).await.unwrap().echo().await;
    let _new = new.detach();
    assert_eq!(call.await.unwrap().unwrap(), "x");
    assert_eq!(net.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_given_up() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let server = tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            let mut peer = RawPeer::on(io).await;
            while peer.frame().await.kind != HEADERS {}
            peer.write(GOAWAY, 0, 0, &[0; 8]).await;
        }
    });
    let status = within("the call", unary(&link, "x")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::DRAINING))
    );
    assert!(!status.was_processed());
    assert_eq!(net.dials(), 4);
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn no_call_fails_while_servers_come_and_go() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            // Each connection takes some calls and is then closed gracefully.
            tokio::spawn(async move {
                let mut peer = Peer::on(io).await;
                let mut count = 0;
                while let Some(exchange) = peer.next().await {
                    count += 1;
                    if count == 7 {
                        peer.h2.graceful_shutdown();
                    }
                    tokio::spawn(async move {
                        tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(0..5))).await;
                        exchange.echo().await;
                    });
                }
            });
        }
    });
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move {
                for _ in 0..100 {
                    assert_eq!(within("a call", unary(&link, "x")).await.unwrap(), "x");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(net.dials() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_sent_again_once() {
    let refusals = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let left = std::sync::Arc::clone(&refusals);
    let (_net, link) = served(
        |_| (),
        move |mut exchange| {
            let refuse = left
                .fetch_update(
                    std::sync::atomic::Ordering::SeqCst,
                    std::sync::atomic::Ordering::SeqCst,
                    |n| n.checked_sub(1),
                )
                .is_ok();
            async move {
                if refuse {
                    exchange.respond.send_reset(Reason::REFUSED_STREAM);
                } else {
                    exchange.echo().await;
                }
            }
        },
    );
    assert_eq!(unary(&link, "x").await.unwrap(), "x");
    refusals.store(2, std::sync::atomic::Ordering::SeqCst);
    let status = unary(&link, "x").await.unwrap_err();
    assert_eq!(
        (status.code(), status.was_processed()),
        (Code::Unavailable, false)
    );
    assert_eq!(unary(&link, "x").await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_requests_is_sent_again_only_while_nothing_was_taken() {
    for taken in [false, true] {
        let (_net, link) = {
            let refused = std::sync::atomic::AtomicBool::new(false);
            let refused = std::sync::Arc::new(refused);
            served(
                |_| (),
                move |mut exchange| {
                    let refuse = !refused.swap(true, std::sync::atomic::Ordering::SeqCst);
                    async move {
                        if refuse {
                            exchange.respond.send_reset(Reason::REFUSED_STREAM);
                        } else {
                            exchange.echo().await;
                        }
                    }
                },
            )
        };
        let (sender, body) = requests();
        if taken {
            sender.send(Ok("x".into())).unwrap();
        }
        let mut call = streaming_call(&UPLOAD, body);
        let calling = tokio::spawn(async move { link.call(&mut call).await });
        settle().await;
        if !taken {
            sender.send(Ok("x".into())).unwrap();
        }
        drop(sender);
        let outcome = within("the call", calling).await.unwrap();
        if taken {
            let status = outcome.unwrap_err();
            assert_eq!(
                (status.code(), status.was_processed()),
                (Code::Unavailable, false)
            );
            assert_eq!(status.reason(), Some(reason::STREAM_RESET));
        } else {
            assert_eq!(message_of(outcome.unwrap()), "x");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_runs_survives_a_goaway() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let watching = {
        let link = std::sync::Arc::clone(&link);
        tokio::spawn(async move { link.call(&mut call(&WATCH, "x")).await })
    };
    let mut old = Peer::on(incoming.recv().await.unwrap()).await;
    let mut exchange = old.next().await.unwrap();
    let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
    old.h2.graceful_shutdown();
    let old = tokio::spawn(old.finish());
    let mut replies = replies_of(watching.await.unwrap().unwrap());
    let _new = Peer::on(incoming.recv().await.unwrap()).await.detach();
    for n in 0..3u8 {
        stream.send_data(framed(&[n]).into(), false).unwrap();
        assert_eq!(next(&mut replies).await.unwrap().unwrap(), [n][..]);
    }
    stream.send_trailers(headers(&[OK])).unwrap();
    assert!(within("the end", next(&mut replies)).await.is_none());
    within("the old connection ends", old).await.unwrap();
    assert_eq!(net.dials(), 2);
}

/// The same over sockets, with both ends truly at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_over_sockets_while_connections_come_and_go() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = rpc_core::net::Address::Socket(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            // Its frames go out one by one: the second would wait for the acknowledgement of the first, 40 ms a call.
            io.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut h2 = h2::server::Builder::new()
                    .handshake::<_, bytes::Bytes>(io)
                    .await
                    .unwrap();
                let mut count = 0;
                while let Some(Ok((request, respond))) = h2.accept().await {
                    let (parts, body) = request.into_parts();
                    let request = http::Request::from_parts(parts, ());
                    tokio::spawn(
                        Exchange {
                            request,
                            body,
                            respond,
                        }
                        .echo(),
                    );
                    count += 1;
                    if count == 100 {
                        h2.graceful_shutdown();
                    }
                }
            });
        }
    });
    let transport = rpc_grpc::GrpcTransport::new(rpc_grpc::ClientConfig::default()).unwrap();
    let link = rpc_core::transport::Transport::link(&transport, &address);
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move {
                for _ in 0..100 {
                    assert_eq!(soon("a call", unary(&link, "x")).await.unwrap(), "x");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    server.abort();
}
