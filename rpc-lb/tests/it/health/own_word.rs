//! Endpoints that are asked whether they serve.

use std::sync::atomic::Ordering;

use rpc_lb::{HealthConfig, health::Sickness};

use crate::fleet::{Fleet, address, settle};

const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

async fn watched(n: usize) -> (Fleet, Vec<Box<dyn rpc_registry::Registration>>) {
    let health = HealthConfig::new().with_watch("test.Service");
    let (fleet, registrations) = Fleet::judged_by(health).with(n).await;
    fleet.until_ready(n).await;
    (fleet, registrations)
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_serve_gets_no_calls_and_keeps_its_connection() {
    let (fleet, _registrations) = watched(3).await;
    (0..3).for_each(|n| fleet.transport.of(&address(n)).say(SERVING));
    settle().await;
    assert_eq!(fleet.tally(30).await.len(), 3);
    let link = fleet.transport.of(&address(1));
    link.say(NOT_SERVING);
    fleet.until(|snapshot| snapshot.counts().sick == 1).await;
    assert_eq!(fleet.view(1).sickness, Some(Sickness::NotServing));
    assert!(!fleet.tally(30).await.contains_key(&address(1)));
    assert_eq!(link.closes.load(Ordering::Relaxed), 0);
    link.say(SERVING);
    fleet.until(|snapshot| snapshot.counts().sick == 0).await;
    assert_eq!(fleet.tally(30).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_not_answered_gets_less() {
    let (fleet, _registrations) = watched(2).await;
    fleet.transport.of(&address(0)).say(SERVING);
    settle().await;
    assert!((fleet.weight(0) - 100.0).abs() < 1e-3);
    assert!((fleet.weight(1) - 50.0).abs() < 1e-3);
}

#[tokio::test(start_paused = true)]
async fn when_none_serves_all_get_calls() {
    let (fleet, _registrations) = watched(3).await;
    (0..3).for_each(|n| fleet.transport.of(&address(n)).say(NOT_SERVING));
    fleet.until(|snapshot| snapshot.counts().sick == 3).await;
    assert_eq!(fleet.tally(30).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_panic_none_gets_calls_then() {
    let health = HealthConfig::new().with_watch("test.Service").with_panic(0.0);
    let (fleet, _registrations) = Fleet::judged_by(health).with(3).await;
    fleet.until_ready(3).await;
    (0..3).for_each(|n| fleet.transport.of(&address(n)).say(NOT_SERVING));
    fleet.until(|snapshot| snapshot.counts().sick == 3).await;
    let nobody = fleet.call().await.unwrap_err();
    assert!(nobody.message().contains("all sick"), "{nobody}");
    let (served, ()) = tokio::join!(fleet.call_waiting(true), async {
        settle().await;
        fleet.transport.of(&address(1)).say(SERVING);
    });
    assert_eq!(served.unwrap().peer.unwrap().to_string(), address(1));
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_the_endpoint() {
    let (fleet, mut registrations) = watched(2).await;
    let links = [0, 1].map(|n| fleet.transport.of(&address(n)));
    settle().await;
    assert!(links.iter().all(|link| link.listeners() == 1));
    registrations.pop();
    fleet.until_ready(1).await;
    settle().await;
    assert_eq!(links[1].listeners(), 0);
    assert_eq!(links[0].listeners(), 1);
    fleet.endpoints.close().await;
    assert_eq!(links[0].listeners(), 0);
}
