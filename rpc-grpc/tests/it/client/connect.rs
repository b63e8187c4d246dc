//! Connecting, failing to, backing off, and who waits for it.

use std::time::Duration;

use rpc_core::{Code, Deadline, status::Side, status::reason, transport::LinkState};
use tokio::time::Instant;

use super::support::*;

fn even(config: &mut rpc_grpc::ClientConfig) {
    config.link.backoff.jitter = 0.0;
}

#[tokio::test(start_paused = true)]
async fn a_link_is_lazy_unless_it_is_told() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    settle().await;
    assert_eq!(net.dials(), 0);
    assert!(matches!(*link.state().borrow(), LinkState::Idle));
    link.connect();
    assert!(matches!(*link.state().borrow(), LinkState::Connecting));
    let _peer = Peer::on(incoming.recv().await.unwrap()).await.detach();
    reaches(&link, "ready", LinkState::is_ready).await;
    link.connect();
    settle().await;
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_calls_make_one_connection() {
    let (net, link) = served(|_| (), Exchange::echo);
    let calls: Vec<_> = (0..100).map(|_| spawn_unary(&link, "x")).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "x");
    }
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_connect_fails_calls_and_says_where() {
    let (net, _incoming) = Net::new();
    net.script([Connects::Fails; 10]);
    let link = link(&net);
    let status = unary(&link, "x").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.was_processed() && status.is_retryable());
    assert_eq!(status.place().side(), Some(Side::Network));
    assert_eq!(status.place().peer(), Some(&address()));
    assert!(link.state().borrow().is_failing());
    let before = net.dials();
    for _ in 0..5 {
        let _ = unary(&link, "x").await.unwrap_err();
    }
    assert_eq!(net.dials(), before, "a call does not shorten the back-off");
}

#[tokio::test(start_paused = true)]
async fn it_connects_again_by_itself_after_the_back_off() {
    let (net, link) = served(even, Exchange::echo);
    net.script([Connects::Fails; 3]);
    let start = Instant::now();
    let _ = unary(&link, "x").await.unwrap_err();
    reaches(&link, "ready", LinkState::is_ready).await;
    // 1 s, 1.6 s and 2.56 s.
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(5160) && took < Duration::from_millis(5200),
        "{took:?}"
    );
    assert_eq!(net.dials(), 4);
    assert_eq!(unary(&link, "x").await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ready_waits() {
    let (net, link) = served(even, Exchange::echo);
    net.script([Connects::Fails; 2]);
    let mut call = call(&UNARY, "x");
    call.options.wait_for_ready = Some(true);
    let reply = within("the call", link.call(&mut call)).await.unwrap();
    assert_eq!(message_of(reply), "x");
    assert_eq!(net.dials(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_hangs_is_given_up() {
    let (net, _incoming) = Net::new();
    net.script([Connects::Hangs]);
    let link = link(&net);
    let start = Instant::now();
    let status = unary(&link, "x").await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECT_FAILED))
    );
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_no_connection() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let call = spawn_unary(&link, "x");
    let _silent = incoming.recv().await.unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECT_FAILED))
    );
    assert!(!status.was_processed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_something_else_is_no_connection() {
    use tokio::io::AsyncWriteExt;
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let call = spawn_unary(&link, "x");
    let mut other = incoming.recv().await.unwrap();
    other
        .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECT_FAILED))
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_fails_what_was_sent_and_is_made_anew() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let call = spawn_unary(&link, "x");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let exchange = peer.next().await.unwrap();
    drop((peer, exchange));
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECTION_LOST))
    );
    assert!(status.was_processed(), "it may have been");
    assert_eq!(status.place().side(), Some(Side::Network));
    let call = spawn_unary(&link, "y");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    peer.next().await.unwrap().echo().await;
    let _peer = peer.detach();
    assert_eq!(call.await.unwrap().unwrap(), "y");
    assert_eq!(net.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_left_is_sent_on_the_next_connection() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    link.connect();
    let io = incoming.recv().await.unwrap();
    let peer = Peer::on(io).await;
    let peer = peer.detach();
    reaches(&link, "ready", LinkState::is_ready).await;
    // The server goes away, and the call comes before anybody has noticed.
    peer.abort();
    let _ = peer.await;
    let call = spawn_unary(&link, "x");
    let mut peer = Peer::on(within("the next connect", incoming.recv()).await.unwrap()).await;
    within("the request", peer.next()).await.unwrap().echo().await;
    let _peer = peer.detach();
    assert_eq!(call.await.unwrap().unwrap(), "x");
    assert_eq!(net.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_at_once_is_not_dialled_in_a_loop() {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, even);
    link.connect();
    let hangs_up = tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            let mut peer = Peer::on(io).await;
            peer.h2.abrupt_shutdown(h2::Reason::NO_ERROR);
            peer.finish().await;
        }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!((3..=8).contains(&net.dials()), "{}", net.dials());
    hangs_up.abort();
}

#[tokio::test(start_paused = true)]
async fn a_link_nobody_needs_stops_dialling() {
    let (net, _incoming) = Net::new();
    net.script([Connects::Fails; 1000]);
    let link = link_with(&net, |config| {
        config.link.idle_timeout = Some(Duration::from_mins(1));
    });
    let _ = unary(&link, "x").await.unwrap_err();
    reaches(&link, "idle", |state| matches!(state, LinkState::Idle)).await;
    let dials = net.dials();
    tokio::time::sleep(Duration::from_mins(50)).await;
    assert_eq!(net.dials(), dials);
    let _ = unary(&link, "x").await.unwrap_err();
    assert_eq!(net.dials(), dials + 1);
}

#[tokio::test(start_paused = true)]
async fn closing_lets_calls_end_and_takes_no_more() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let call = spawn_unary(&link, "x");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let exchange = peer.next().await.unwrap();
    link.close();
    assert!(
        !matches!(*link.state().borrow(), LinkState::Closed),
        "a call is under way"
    );
    let status = unary(&link, "late").await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CHANNEL_CLOSED))
    );
    let peer = tokio::spawn(peer.finish());
    exchange.echo().await;
    assert_eq!(call.await.unwrap().unwrap(), "x");
    within("the connection ends", peer).await.unwrap();
    reaches(&link, "closed", |state| matches!(state, LinkState::Closed)).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_link_breaks_its_streams_off() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let watching = {
        let link = std::sync::Arc::clone(&link);
        tokio::spawn(async move { link.call(&mut call(&WATCH, "x")).await })
    };
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let mut exchange = peer.next().await.unwrap();
    let _stream = exchange.respond.send_response(head(&[]), false).unwrap();
    let peer = peer.detach();
    let mut replies = replies_of(watching.await.unwrap().unwrap());
    drop(link);
    let status = within("the stream ends", next(&mut replies))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    within("the connection ends", peer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn several_connections_share_the_calls() {
    let (net, link) = served(
        |config| config.link.connections = 3..=3,
        |exchange| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            exchange.echo().await;
        },
    );
    link.connect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(net.dials(), 3);
    let calls: Vec<_> = (0..9).map(|_| spawn_unary(&link, "x")).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[test]
fn a_link_survives_the_runtime_that_woke_it_up() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let call = spawn_unary(&link, "x");
            let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
            peer.next().await.unwrap().echo().await;
            let peer = peer.detach();
            assert_eq!(call.await.unwrap().unwrap(), "x");
            peer.abort();
        });
    }
    link.connect();
    assert_eq!(net.dials(), 2, "outside of a runtime nothing is dialled");
}

/// What runs on a runtime may want a connection while it is dropped with it.
#[test]
fn a_link_that_is_wanted_while_its_runtime_ends_hangs_nobody() {
    struct WantsOnDrop(std::sync::Arc<dyn rpc_core::transport::Link>);

    impl Drop for WantsOnDrop {
        fn drop(&mut self) {
            self.0.connect();
        }
    }

    let (net, _incoming) = Net::new();
    let link = link(&net);
    let wants = WantsOnDrop(link.clone());
    let (tell, told) = std::sync::mpsc::channel();
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

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_connection_beyond_the_deadline() {
    let (net, _incoming) = Net::new();
    net.script([Connects::Hangs]);
    let link = link(&net);
    let mut call = call(&UNARY, "x");
    call.options.wait_for_ready = Some(true);
    call.context = call
        .context
        .with_deadline(Deadline::after(Duration::from_secs(3)));
    let start = Instant::now();
    let status = within("the call", link.call(&mut call)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.was_processed()),
        (Code::DeadlineExceeded, false)
    );
    assert_eq!(status.place().peer(), Some(&address()));
    assert_eq!(start.elapsed().as_secs(), 3);
}
