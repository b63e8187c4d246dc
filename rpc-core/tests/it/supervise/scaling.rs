//! As many connections as the calls need.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use super::{
    call,
    network::{Connects, Network},
    settle, spawn_call, within,
};

#[tokio::test(start_paused = true)]
async fn one_more_whenever_all_are_full() {
    let network = Network::new(10);
    let link = network.link(|config| config.connections = 1..=4);
    network.calls_take(Duration::from_secs(10));
    let mut calls: Vec<_> = (0..10).map(|_| spawn_call(&link)).collect();
    settle().await;
    assert_eq!(network.open().len(), 1, "it has room for all");
    calls.push(spawn_call(&link));
    settle().await;
    assert_eq!(network.open().len(), 2);
    calls.extend((0..29).map(|_| spawn_call(&link)));
    settle().await;
    assert_eq!(network.open().len(), 4);
    // From here on calls take turns.
    calls.extend((0..40).map(|_| spawn_call(&link)));
    settle().await;
    assert_eq!(network.open().len(), 4);
    let start = tokio::time::Instant::now();
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 20, "eighty calls, forty at a time");
    assert_eq!(network.most.load(SeqCst), 10, "the server's limit is kept");
    assert_eq!(network.dials().len(), 4);
}

/// Streams hold all that there is, for ever.
#[tokio::test(start_paused = true)]
async fn who_waited_for_room_gets_it_on_the_new_connection() {
    let network = Network::new(10);
    let link = network.link(|config| config.connections = 1..=2);
    network.calls_take(Duration::from_hours(1));
    let streams: Vec<_> = (0..10).map(|_| spawn_call(&link)).collect();
    settle().await;
    network.calls_take(Duration::from_secs(1));
    let start = tokio::time::Instant::now();
    let calls: Vec<_> = (0..10).map(|_| spawn_call(&link)).collect();
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 1);
    for stream in streams {
        stream.abort();
    }
}

/// Each call has found a connection, and none has asked for one, for longer than a link may be idle.
#[tokio::test(start_paused = true)]
async fn a_link_that_was_in_use_for_long_scales_as_well() {
    let network = Network::new(10);
    let link = network.link(|config| {
        config.connections = 1..=4;
        config.idle_timeout = Some(Duration::from_mins(30));
    });
    let start = tokio::time::Instant::now();
    while start.elapsed() < Duration::from_hours(2) {
        call(&link).await.unwrap();
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    network.calls_take(Duration::from_hours(1));
    let streams: Vec<_> = (0..40).map(|_| spawn_call(&link)).collect();
    settle().await;
    assert_eq!((network.open().len(), network.dials().len()), (4, 4));
    for stream in streams {
        within("a stream", stream).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_the_connection_with_the_fewest() {
    let network = Network::new(100);
    let link = network.link(|config| config.connections = 4..=4);
    link.connect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    network.calls_take(Duration::from_secs(10));
    let calls: Vec<_> = (0..40).map(|_| spawn_call(&link)).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let begun: Vec<_> = network
        .open()
        .iter()
        .map(|connection| connection.begun())
        .collect();
    assert_eq!(begun, [10; 4]);
}

#[tokio::test(start_paused = true)]
async fn fewer_again_once_there_was_ample_room_for_a_while() {
    let network = Network::new(10);
    let link = network.link(|config| config.connections = 1..=4);
    network.calls_take(Duration::from_secs(10));
    let calls: Vec<_> = (0..40).map(|_| spawn_call(&link)).collect();
    settle().await;
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(network.open().len(), 4);
    // A little goes on, so that it is not idleness that closes them.
    let start = tokio::time::Instant::now();
    let mut left = Vec::new();
    while start.elapsed() < Duration::from_mins(5) {
        call(&link).await.unwrap();
        left.push(network.open().len());
    }
    assert!(left.is_sorted_by(|a, b| a >= b), "{left:?}");
    assert_eq!(left[4], 4, "not at once");
    assert_eq!(left.last(), Some(&1));
    assert_eq!(network.dials().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_added_fails_no_call() {
    let network = Network::new(10);
    let link = network.link(|config| config.connections = 1..=2);
    network.calls_take(Duration::from_secs(1));
    call(&link).await.unwrap();
    network.otherwise(Connects::Fails);
    let calls: Vec<_> = (0..50).map(|_| spawn_call(&link)).collect();
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
    assert!(link.state().borrow().is_ready());
    assert!(
        network.dials().len() <= 5,
        "with pauses: {}",
        network.dials().len()
    );
}

#[tokio::test(start_paused = true)]
async fn without_leave_to_scale_calls_take_turns() {
    let network = Network::new(10);
    let link = network.link(|_| ());
    network.calls_take(Duration::from_secs(1));
    let start = tokio::time::Instant::now();
    let calls: Vec<_> = (0..50).map(|_| spawn_call(&link)).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!((start.elapsed().as_secs(), network.dials().len()), (5, 1));
}
