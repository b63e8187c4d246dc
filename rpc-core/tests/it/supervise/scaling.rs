//! As many connections as the calls need.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use rpc_core::transport::Link;

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

/// A connection whose task runs on the caller's thread may have twice as many calls as another one, and some more; if it has room.
#[tokio::test(start_paused = true)]
async fn calls_prefer_a_connection_whose_task_runs_on_their_thread() {
    let network = Network::new(10);
    let link = network.link(|config| config.connections = 2..=2);
    link.connect();
    settle().await;
    let [far, near] = &network.open()[..] else {
        panic!("there are two");
    };
    std::thread::scope(|threads| threads.spawn(|| far.runs_here()).join().unwrap());
    near.runs_here();
    network.calls_take(Duration::from_secs(10));
    let mut calls = Vec::new();
    for wanted in [(0, 4), (3, 9), (10, 10)] {
        calls.extend((calls.len()..wanted.0 + wanted.1).map(|_| spawn_call(&link)));
        settle().await;
        assert_eq!((far.begun(), near.begun()), wanted);
    }
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
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

/// So many callers call again and again for a while, and no call fails.
async fn many_call(link: &Arc<dyn Link>, callers: usize, time: Duration) {
    let end = tokio::time::Instant::now() + time;
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let link = Arc::clone(link);
            tokio::spawn(async move {
                while tokio::time::Instant::now() < end {
                    call(&link).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        within("a caller", caller).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_too_many_for_one_connection_are_spread() {
    let network = Network::new(1000);
    network.spreads(3, 1000);
    let link = network.link(|config| config.shrink_after = Duration::from_secs(10));
    network.calls_take(Duration::from_millis(10));
    many_call(&link, 9, Duration::from_secs(2)).await;
    assert_eq!(network.open().len(), 1, "900 calls a second are not too many");
    many_call(&link, 64, Duration::from_secs(2)).await;
    assert_eq!(network.open().len(), 3, "as many as may be");
    let begun: Vec<_> = network.open()[1..].iter().map(|c| c.begun()).collect();
    assert!(begun.iter().all(|begun| *begun > 1000), "all are used: {begun:?}");
    // 500 a second on each would be 750 on one fewer.
    network.calls_take(Duration::from_millis(40));
    many_call(&link, 60, Duration::from_mins(1)).await;
    assert_eq!((network.open().len(), network.dials().len()), (3, 3));
    network.calls_take(Duration::from_millis(200));
    many_call(&link, 60, Duration::from_mins(1)).await;
    assert_eq!((network.open().len(), network.dials().len()), (1, 3));
}

/// Streams hold all of one connection for ever, and a call waits there while another connection gets room.
#[tokio::test(start_paused = true)]
async fn who_waits_on_one_of_those_that_calls_are_spread_over_gets_room_on_another() {
    let network = Network::new(10);
    network.spreads(2, 1000);
    let link = network.link(|_| ());
    network.calls_take(Duration::from_millis(5));
    many_call(&link, 10, Duration::from_secs(2)).await;
    assert_eq!(network.open().len(), 2);
    let mut streams = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..10 {
        // They are dealt out in turns.
        network.calls_take(Duration::from_hours(1));
        streams.push(spawn_call(&link));
        settle().await;
        network.calls_take(Duration::from_secs(1));
        calls.push(spawn_call(&link));
        settle().await;
    }
    calls.extend((0..2).map(|_| spawn_call(&link)));
    let start = tokio::time::Instant::now();
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    streams.iter().for_each(tokio::task::JoinHandle::abort);
}

/// What two connections bear is not given to a third, and many calls at a time that are slow need no second one.
#[tokio::test(start_paused = true)]
async fn no_more_connections_are_made_than_the_calls_need() {
    let network = Network::new(1000);
    network.spreads(4, 1000);
    let link = network.link(|_| ());
    network.calls_take(Duration::from_secs(1));
    many_call(&link, 900, Duration::from_secs(5)).await;
    assert_eq!(network.open().len(), 1);
    network.calls_take(Duration::from_millis(10));
    many_call(&link, 16, Duration::from_secs(5)).await;
    assert_eq!((network.open().len(), network.dials().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_one_connection_only_fails_no_call() {
    let network = Network::new(1000);
    network.spreads(4, 1000);
    let link = network.link(|_| ());
    call(&link).await.unwrap();
    network.otherwise(Connects::Fails);
    network.calls_take(Duration::from_millis(10));
    many_call(&link, 64, Duration::from_secs(20)).await;
    assert!(link.state().borrow().is_ready());
    let dials = network.dials().len();
    assert!((3..=10).contains(&dials), "with pauses that grow: {dials}");
}
