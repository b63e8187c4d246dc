//! Instances that come and go.

use std::time::Duration;

use super::support::{Client, instance};

#[tokio::test(start_paused = true)]
async fn one_that_flaps_stays_and_causes_few_changes() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    client.gone([0]);
    client.settle().await;
    assert_eq!(client.counts(), (9, 0), "the first time it is believed");
    client.put(instance(0));
    client.settle().await;
    let mut left = 0;
    for _ in 0..20 {
        client.gone([0]);
        client.wait(Duration::from_millis(500)).await;
        left += usize::from(!client.sees.contains_key("i-00000"));
        client.put(instance(0));
        client.wait(Duration::from_millis(500)).await;
    }
    assert_eq!(left, 0);
    client.gone([0]);
    client.wait(Duration::from_secs(11)).await;
    assert_eq!(client.counts(), (9, 0), "it does go in the end");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_updates_is_told_in_few_changes() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    let told = client.changes;
    for n in 10..1010 {
        client.put(instance(n));
    }
    client.settle().await;
    assert_eq!(client.counts(), (1010, 0));
    assert!(client.changes - told <= 2, "{}", client.changes - told);
}

#[tokio::test(start_paused = true)]
async fn the_same_list_again_is_not_told() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    let told = client.changes;
    for _ in 0..10 {
        client.list(0..10);
        client.wait(Duration::from_secs(1)).await;
    }
    assert_eq!(client.changes, told);
}
