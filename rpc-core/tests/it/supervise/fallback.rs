//! The link of another transport does it, until the server speaks this one.

use std::{sync::Arc, sync::atomic::Ordering::SeqCst, time::Duration};

use rpc_core::{
    Status,
    status::reason,
    transport::{Link, LinkState},
};

use tokio::time::Instant;

use super::{
    call, is_closed,
    network::{Connects, Network, Over},
    reaches, settle, spawn_call, within,
};

/// Ours, that of the other transport, and a link.
fn both() -> (Arc<Network>, Arc<Network>, Arc<dyn Link>) {
    let (ours, others) = (Network::new(100), Network::new(100));
    let link = ours.link_or(|_| (), Some(Arc::new(Over(Arc::clone(&others)))));
    ours.otherwise(Connects::Foreign);
    (ours, others, link)
}

#[tokio::test(start_paused = true)]
async fn the_server_is_asked_again_when_the_other_link_has_connected_anew() {
    let (ours, others, link) = both();
    call(&link).await.unwrap();
    tokio::time::sleep(Duration::from_mins(10)).await;
    call(&link).await.unwrap();
    assert_eq!(
        (ours.dials().len(), others.dials().len()),
        (1, 1),
        "not while it works"
    );
    // The server is deployed anew, and speaks our protocol now. A call is under way, and ends where it began.
    others.calls_take(Duration::from_secs(100));
    let under_way = spawn_call(&link);
    settle().await;
    let old = others.open().remove(0);
    rpc_core::transport::supervise::Supervised::advance(
        &*old,
        rpc_core::transport::supervise::Phase::Draining,
    );
    ours.otherwise(Connects::Succeeds);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((ours.dials().len(), ours.open().len()), (2, 1));
    call(&link).await.unwrap();
    assert_eq!(ours.open()[0].begun(), 1);
    within("the call", under_way).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(others.under_way.load(SeqCst), 0, "the other link is closed");
    assert!(link.state().borrow().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_learnt_nothing_is_called_as_before() {
    let (ours, others, link) = both();
    for round in 1..=20 {
        for _ in 0..10 {
            within("a call", call(&link)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        others.lose_all();
        settle().await;
        reaches(&link, "ready", LinkState::is_ready).await;
        assert_eq!(others.dials().len(), round + 1);
    }
    // Forty seconds, and every ten once.
    assert!((3..=6).contains(&ours.dials().len()), "{}", ours.dials().len());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_said_nothing_is_asked_again_after_longer_and_longer_pauses() {
    const SECOND: Duration = Duration::from_secs(1);
    let (ours, others, link) = both();
    ours.otherwise(Connects::Silent);
    let start = Instant::now();
    call(&link).await.unwrap();
    let calls = async {
        loop {
            tokio::time::sleep(SECOND).await;
            call(&link).await.unwrap();
        }
    };
    let _ = tokio::time::timeout(160 * SECOND, calls).await;
    let asked = || -> Vec<u64> {
        let dials = ours.dials();
        dials.iter().map(|at| (*at - start).as_secs()).collect()
    };
    assert_eq!(asked(), [0, 10, 30, 70, 150]);
    // It is deployed anew: nobody waits for the end of the long pause.
    others.lose_all();
    ours.otherwise(Connects::Succeeds);
    tokio::time::sleep(SECOND).await;
    assert_eq!(ours.dials().len(), 6);
    call(&link).await.unwrap();
    assert_eq!(ours.open()[0].begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_could_not_be_asked_is_asked_again_as_well() {
    let (ours, _, link) = both();
    ours.script([Connects::Silent, Connects::Fails]);
    ours.otherwise(Connects::Succeeds);
    call(&link).await.unwrap();
    for _ in 0..31 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        call(&link).await.unwrap();
    }
    assert_eq!(ours.dials().len(), 3);
    assert!(ours.open()[0].begun() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_restarts_is_asked_when_it_is_there_again() {
    let (ours, others, link) = both();
    call(&link).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    ours.otherwise(Connects::Fails);
    others.script([Connects::Fails; 3]);
    others.lose_all();
    reaches(&link, "failing", LinkState::is_failing).await;
    let status = call(&link).await.unwrap_err();
    assert!(!status.was_processed());
    ours.otherwise(Connects::Succeeds);
    reaches(&link, "ready", LinkState::is_ready).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    call(&link).await.unwrap();
    assert_eq!(ours.open()[0].begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_that_a_channel_was_closed_has_answered() {
    let (_, others, link) = both();
    let closed = Status::unavailable("a channel of the server's own was closed")
        .with_reason(reason::CHANNEL_CLOSED)
        .with_domain(reason::DOMAIN)
        .not_processed();
    others.refuses_calls(closed);
    others.calls_take(Duration::from_hours(1));
    let status = within("the call", call(&link)).await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::CHANNEL_CLOSED));
    assert_eq!(others.open()[0].begun(), 1, "it is not sent again");
}

#[tokio::test(start_paused = true)]
async fn it_is_closed_with_the_link() {
    let (_, others, link) = both();
    others.calls_take(Duration::from_secs(10));
    let under_way = spawn_call(&link);
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.close();
    assert!(!is_closed(&link.state().borrow()));
    let _ = call(&link).await.unwrap_err();
    within("the call", under_way).await.unwrap().unwrap();
    reaches(&link, "closed", is_closed).await;
    assert_eq!(others.under_way.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_link_breaks_it_off() {
    let (_, others, link) = both();
    call(&link).await.unwrap();
    drop(link);
    settle().await;
    assert_eq!(others.under_way.load(SeqCst), 0);
}
