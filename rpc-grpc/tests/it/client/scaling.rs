//! More connections while the server's bound of streams is reached.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rpc_core::transport::LinkState;

use super::support::*;

/// A server that takes so many streams on a connection, on as many connections as come, and how many were open at most on one.
fn bounded(
    most_streams: u32,
    change: impl FnOnce(&mut rpc_grpc::ClientConfig),
) -> (Arc<Net>, Arc<dyn rpc_core::transport::Link>, Arc<AtomicUsize>) {
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, change);
    let peak = Arc::new(AtomicUsize::new(0));
    let most = Arc::clone(&peak);
    tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            let most = Arc::clone(&most);
            tokio::spawn(async move {
                let mut peer = Peer::with(io, |builder| {
                    builder.max_concurrent_streams(most_streams);
                })
                .await;
                let open = Arc::new(AtomicUsize::new(0));
                while let Some(mut exchange) = peer.next().await {
                    let open = Arc::clone(&open);
                    most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
                    tokio::spawn(async move {
                        let sent = exchange.read().await;
                        if &sent[5..] == b"stays" {
                            std::future::pending::<()>().await;
                        }
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        open.fetch_sub(1, SeqCst);
                        exchange.answer(&[&sent[5..]], &[("grpc-status", "0")]);
                    });
                }
            });
        }
    });
    (net, link, peak)
}

#[tokio::test(start_paused = true)]
async fn streams_that_hold_all_of_a_connection_leave_room_on_another() {
    let (net, link, peak) = bounded(4, |config| config.link.connections = 1..=3);
    link.connect();
    reaches(&link, "ready", LinkState::is_ready).await;
    let stay: Vec<_> = (0..4).map(|_| spawn_unary(&link, "stays")).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(net.dials(), 1);
    // They wait where there is no room, and get it where some comes.
    let calls: Vec<_> = (0..30).map(|_| spawn_unary(&link, "x")).collect();
    for call in calls {
        assert_eq!(within("a call", call).await.unwrap().unwrap(), "x");
    }
    assert!((2..=3).contains(&net.dials()), "{}", net.dials());
    assert_eq!(peak.load(SeqCst), 4, "h2 never sees one too many");
    stay.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn each_connection_is_filled_and_no_call_fails() {
    let (net, link, peak) = bounded(4, |config| config.link.connections = 1..=3);
    let callers: Vec<_> = (0..40)
        .map(|_| {
            let link = Arc::clone(&link);
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(within("a call", unary(&link, "x")).await.unwrap(), "x");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!((net.dials(), peak.load(SeqCst)), (3, 4));
    // Nobody calls much any more.
    for _ in 0..250 {
        unary(&link, "x").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let peers = Arc::strong_count(&peak);
    assert_eq!(peers - 1, 2, "the server's loop and one connection");
}

fn spread(config: &mut rpc_grpc::ClientConfig) {
    config.spread.connections = 3;
    config.spread.calls_per_second = 1;
}

/// Calls with so many callers until there were so many calls, or so many connections.
async fn call_often(net: &Arc<Net>, link: &Arc<dyn rpc_core::transport::Link>, calls: usize, dials: usize) {
    let left = Arc::new(AtomicUsize::new(calls));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (net, link, left) = (Arc::clone(net), Arc::clone(link), Arc::clone(&left));
            tokio::spawn(async move {
                let more = |left: usize| left.checked_sub(1);
                while net.dials() < dials && left.fetch_update(SeqCst, SeqCst, more).is_ok() {
                    assert_eq!(unary(&link, "x").await.unwrap(), "x");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_are_spread_over_connections() {
    let (net, link, _) = bounded(100, spread);
    soon("three connections", call_often(&net, &link, usize::MAX, 3)).await;
    call_often(&net, &link, 2000, usize::MAX).await;
    assert_eq!(net.dials(), 3, "as many as may be");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_worker_gains_nothing_by_more_connections() {
    let (net, link, _) = bounded(100, spread);
    soon("the calls", call_often(&net, &link, 2000, usize::MAX)).await;
    assert_eq!(net.dials(), 1);
}
