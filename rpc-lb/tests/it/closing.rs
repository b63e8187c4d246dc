//! The end of a channel.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rpc_core::{Code, status::reason, transport::LinkState};
use tokio::time::timeout;

use crate::fleet::{FakeTransport, Fleet, address, settle};

#[tokio::test(start_paused = true)]
async fn a_closed_channel_takes_no_call() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    fleet.endpoints.close().await;
    for wait in [false, true] {
        let status = timeout(Duration::from_secs(1), fleet.call_waiting(wait))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Unavailable, Some(reason::CHANNEL_CLOSED))
        );
        assert!(!status.was_processed() && !status.is_retryable());
    }
    assert_eq!(fleet.transport.of(&address(0)).closes.load(Ordering::Relaxed), 1);
    fleet.endpoints.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_used_closes_too() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.endpoints.close().await;
    assert_eq!(
        fleet.call().await.unwrap_err().reason(),
        Some(reason::CHANNEL_CLOSED)
    );
    assert_eq!(fleet.transport.made(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_links_and_frees_who_waits() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    let fleet = Arc::new(fleet);
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(drop) }
    });
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    let mut closing = std::pin::pin!(fleet.endpoints.close());
    assert!(timeout(Duration::from_secs(1), &mut closing).await.is_err());
    assert_eq!(
        waiting.await.unwrap().unwrap_err().reason(),
        Some(reason::CHANNEL_CLOSED)
    );
    fleet.transport.of(&address(0)).set(LinkState::Closed);
    assert!(timeout(Duration::from_secs(1), &mut closing).await.is_err());
    fleet.transport.of(&address(1)).set(LinkState::Closed);
    timeout(Duration::from_secs(1), closing).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_link_that_went_is_kept_until_it_is_closed() {
    let (fleet, mut registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    let link = fleet.transport.of(&address(0));
    link.set(LinkState::Ready);
    fleet.until_ready(1).await;
    // What the test and its transport hold.
    let ours = 2;
    registrations.remove(0).withdraw().await.unwrap();
    fleet.until_ready(0).await;
    assert_eq!(link.closes.load(Ordering::Relaxed), 1);
    assert!(Arc::strong_count(&link) > ours, "streams may still run on it");
    link.set(LinkState::Closed);
    settle().await;
    assert_eq!(Arc::strong_count(&link), ours);
}

#[test]
fn dropping_needs_no_runtime_and_ends_the_task() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (fleet, registrations) = runtime.block_on(async {
        let (fleet, registrations) = Fleet::new().with(1).await;
        fleet.until_ready(1).await;
        (fleet, registrations)
    });
    let link = fleet.transport.of(&address(0));
    let Fleet {
        transport,
        endpoints,
        pick,
        ..
    } = fleet;
    drop((endpoints, pick, registrations));
    runtime.block_on(settle());
    drop(transport);
    assert_eq!(Arc::strong_count(&link), 1, "nobody else keeps the link");
}

#[test]
fn another_runtime_takes_over() {
    let fleet = {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (fleet, registrations) = Fleet::new().with(1).await;
            Box::leak(Box::new(registrations));
            fleet.until_ready(1).await;
            fleet
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        timeout(Duration::from_secs(30), fleet.call())
            .await
            .unwrap()
            .unwrap();
    });
    assert_eq!(
        fleet.transport.made(),
        2,
        "the connections of a runtime end with it"
    );
}
