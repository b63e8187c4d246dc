//! What happens to a connection by itself: pings, age, idleness.

use std::{sync::Arc, time::Duration};

use rpc_core::{Code, status::reason, transport::LinkState};
use tokio::time::Instant;

use super::support::*;

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_no_ping_is_given_up() {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, |config| {
        config.link.keepalive.interval = Some(Duration::from_secs(30));
    });
    let start = Instant::now();
    let call = spawn_unary(&link, "x");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let _exchange = peer.next().await.unwrap();
    // From here on nobody drives the server's end.
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECTION_LOST))
    );
    assert!(status.message().contains("ping"), "{status}");
    assert_eq!(start.elapsed().as_secs(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fell_silent_is_given_up_though_no_call_waits_for_long() {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, |config| {
        config.link.keepalive.interval = Some(Duration::from_secs(10));
    });
    let first = spawn_unary(&link, "x");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let exchange = peer.next().await.unwrap();
    tokio::select! {
        () = exchange.echo() => {}
        _ = peer.next() => panic!("there is one call"),
    }
    let _ = tokio::time::timeout(Duration::from_millis(500), peer.next()).await;
    first.await.unwrap().unwrap();
    // From here on nobody drives the server's end.
    let calls = async {
        loop {
            let _ = tokio::time::timeout(Duration::from_secs(1), unary(&link, "x")).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    tokio::select! {
        () = calls => {}
        again = tokio::time::timeout(Duration::from_secs(40), incoming.recv()) => {
            let again = again.expect("the connection is given up");
            assert!(again.is_some(), "the link dials anew");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_pings_may_take_its_time() {
    let (net, link) = served(
        |config| config.link.keepalive.interval = Some(Duration::from_secs(10)),
        |exchange| async move {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            exchange.echo().await;
        },
    );
    assert_eq!(unary(&link, "x").await.unwrap(), "x");
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_calls_there_are_no_pings() {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, |config| {
        config.link.keepalive.interval = Some(Duration::from_secs(10));
        config.link.idle_timeout = None;
    });
    link.connect();
    // Nobody drives the server's end: a ping would be the end of the connection.
    let _peer = {
        let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), peer.next()).await;
        peer
    };
    tokio::time::sleep(Duration::from_secs(10_000)).await;
    assert!(link.state().borrow().is_ready());
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced_and_its_calls_go_on() {
    let (net, link) = served(
        |config| config.link.max_connection_age = Some(Duration::from_secs(100)),
        |exchange| async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            exchange.echo().await;
        },
    );
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1000) {
        assert_eq!(unary(&link, "x").await.unwrap(), "x");
        assert!(link.state().borrow().is_ready());
    }
    let dials = net.dials();
    assert!((9..=12).contains(&dials), "{dials}");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_stays_until_there_is_another() {
    let (net, link) = served(
        |config| config.link.max_connection_age = Some(Duration::from_secs(100)),
        Exchange::echo,
    );
    unary(&link, "x").await.unwrap();
    net.script([Connects::Fails; 5]);
    tokio::time::sleep(Duration::from_secs(115)).await;
    assert!(net.dials() > 2, "{}", net.dials());
    assert!(link.state().borrow().is_ready());
    unary(&link, "x").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed() {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, |config| {
        config.link.idle_timeout = Some(Duration::from_mins(1));
    });
    let call = spawn_unary(&link, "x");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    let exchange = peer.next().await.unwrap();
    let peer = tokio::spawn(peer.finish());
    tokio::time::sleep(Duration::from_mins(5)).await;
    exchange.echo().await;
    call.await.unwrap().unwrap();
    let quiet = Instant::now();
    reaches(&link, "idle", |state| matches!(state, LinkState::Idle)).await;
    let took = quiet.elapsed().as_secs();
    assert!((60..=90).contains(&took), "{took}");
    within("the connection ends", peer).await.unwrap();
    assert_eq!(net.dials(), 1);
    let call = spawn_unary(&link, "y");
    let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
    peer.next().await.unwrap().echo().await;
    let _peer = peer.detach();
    assert_eq!(call.await.unwrap().unwrap(), "y");
}

/// The server's idea of how long nothing may happen is a second.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_sent_away_before_it_is_called_is_left_to_the_next_call() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    link.connect();
    for round in 0..10 {
        let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), peer.next()).await;
        peer.h2.graceful_shutdown();
        within("the connection ends", peer.finish()).await;
        reaches(&link, "idle", |state| matches!(state, LinkState::Idle)).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(net.dials(), 2 * round + 1);
        let called = Instant::now();
        let call = spawn_unary(&link, "x");
        let mut peer = Peer::on(incoming.recv().await.unwrap()).await;
        peer.next().await.unwrap().echo().await;
        let peer = tokio::spawn(peer.finish());
        assert_eq!(call.await.unwrap().unwrap(), "x");
        assert!(called.elapsed().is_zero());
        // It was of use: it is made anew.
        peer.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_minds_pings_gets_fewer() {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, |config| {
        config.link.keepalive.interval = Some(Duration::from_secs(10));
        config.link.keepalive.without_calls = true;
        config.link.idle_timeout = None;
    });
    link.connect();
    let (gaps, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            gaps.send(complains_of_the_first_ping(io).await).unwrap();
        }
    });
    let first = within("the first ping", seen.recv()).await.unwrap();
    let second = within("the second ping", seen.recv()).await.unwrap();
    assert_eq!((first.as_secs(), second.as_secs()), (10, 20));
    server.abort();
    let _keep: Arc<_> = link;
}

/// A server by hand: h2's own would answer the ping. Tells how long it took to come.
async fn complains_of_the_first_ping(io: tokio::io::DuplexStream) -> Duration {
    let mut peer = RawPeer::on(io).await;
    let start = Instant::now();
    loop {
        let frame = peer.frame().await;
        if (frame.kind, frame.flags) == (PING, 0) {
            break;
        }
    }
    // Last stream 0, ENHANCE_YOUR_CALM.
    peer.write(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x0btoo_many_pings")
        .await;
    start.elapsed()
}
