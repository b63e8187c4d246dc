//! Connections that are kept warm, closed, replaced and drained.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use rpc_core::{
    Code,
    status::reason,
    transport::{
        LinkState,
        supervise::{Phase, Supervised as _},
    },
};
use tokio::time::Instant;

use super::{
    call, is_closed, is_idle,
    network::{Connects, Network},
    reaches, settle, spawn_call, within,
};

#[tokio::test(start_paused = true)]
async fn an_idle_link_lets_its_connection_go_and_comes_back_when_it_is_called() {
    let network = Network::new(100);
    let link = network.link(|config| config.idle_timeout = Some(Duration::from_mins(1)));
    call(&link).await.unwrap();
    let quiet = Instant::now();
    reaches(&link, "idle", is_idle).await;
    let took = quiet.elapsed().as_secs();
    assert!((60..=90).contains(&took), "{took}");
    assert_eq!(network.under_way.load(SeqCst), 0);
    call(&link).await.unwrap();
    assert_eq!(network.dials().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn several_connections_go_together_and_only_when_all_are_idle() {
    let network = Network::new(100);
    let link = network.link(|config| {
        config.idle_timeout = Some(Duration::from_mins(1));
        config.connections = 3..=3;
    });
    // One call at a time: two of the three have nothing to do.
    for _ in 0..600 {
        call(&link).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!((network.open().len(), network.dials().len()), (3, 3));
    let quiet = Instant::now();
    reaches(&link, "idle", is_idle).await;
    assert!(
        quiet.elapsed() <= Duration::from_secs(91),
        "{:?}",
        quiet.elapsed()
    );
    assert_eq!(network.open().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_an_idle_timeout_it_stays_warm_whatever_the_server_does() {
    let network = Network::new(100);
    let link = network.link(|config| config.idle_timeout = None);
    link.connect();
    for _ in 0..100 {
        reaches(&link, "ready", LinkState::is_ready).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        // The server's own idea of how long nothing may happen.
        network.lose_all();
        settle().await;
    }
    assert!(network.dials().len() >= 100);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_closes_is_made_anew_until_it_was_not_used_for_long() {
    let network = Network::new(100);
    let link = network.link(|_| ());
    call(&link).await.unwrap();
    let start = Instant::now();
    while !is_idle(&link.state().borrow()) {
        tokio::time::sleep(Duration::from_mins(5)).await;
        network.lose_all();
        settle().await;
        assert!(start.elapsed() < Duration::from_hours(2), "it never gives up");
    }
    // Thirty minutes from the loss of the one connection that was called on.
    assert_eq!(start.elapsed().as_secs() / 60, 35);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_closes_can_be_left_to_the_next_call() {
    let network = Network::new(100);
    let link = network.link(|config| config.reconnect_idle = false);
    network.calls_take(Duration::from_secs(1));
    call(&link).await.unwrap();
    network.lose_all();
    reaches(&link, "idle", is_idle).await;
    assert_eq!(network.dials().len(), 1);
    // One that is lost under a call is made anew.
    let under_way = spawn_call(&link);
    reaches(&link, "ready", LinkState::is_ready).await;
    settle().await;
    network.lose_all();
    let _ = under_way.await.unwrap().unwrap_err();
    reaches(&link, "ready again", LinkState::is_ready).await;
    assert_eq!(network.dials().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced_before_it_goes_and_no_call_waits() {
    let network = Network::new(100);
    let link = network.link(|config| config.max_connection_age = Some(Duration::from_secs(100)));
    network.calls_take(Duration::from_secs(5));
    call(&link).await.unwrap();
    let mut ages = Vec::new();
    let start = Instant::now();
    let mut before = network.dials().len();
    while start.elapsed() < Duration::from_hours(2) {
        let begun = Instant::now();
        call(&link).await.unwrap();
        assert!(
            begun.elapsed() <= Duration::from_millis(5001),
            "{:?}",
            begun.elapsed()
        );
        assert!(link.state().borrow().is_ready());
        let dials = network.dials();
        if dials.len() > before {
            ages.push((dials[dials.len() - 1] - dials[dials.len() - 2]).as_secs_f64());
            before = dials.len();
        }
    }
    // To the end, although no call has asked for a connection since the first: each found one.
    assert!(ages.len() >= 7200 / 111 - 1, "{}", ages.len());
    assert!(ages.iter().all(|age| (90.0..=111.0).contains(age)), "{ages:?}");
    let spread =
        ages.iter().copied().fold(f64::MIN, f64::max) - ages.iter().copied().fold(f64::MAX, f64::min);
    assert!(spread > 5.0, "not all at the same age: {ages:?}");
    assert_eq!(network.open().len(), 1);
}

/// Calls that take no time, so that there is none under way when the connection is found to be old.
#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced_between_calls_for_as_long_as_there_are_some() {
    fastrand::seed(7);
    let network = Network::new(100);
    let link = network.link(|config| config.max_connection_age = Some(Duration::from_mins(10)));
    let start = Instant::now();
    while start.elapsed() < Duration::from_hours(3) {
        call(&link).await.unwrap();
        assert!(link.state().borrow().is_ready());
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    let made = network.dials().len();
    assert!((16..=20).contains(&made), "{made}");
    // The last that was called on has a successor, and its successors have some for as long as the link may be idle. The last
    // of those then finds out for itself that there are no calls.
    let quiet = Instant::now();
    reaches(&link, "idle", is_idle).await;
    assert!(
        quiet.elapsed() <= Duration::from_mins(11 + 30 + 45),
        "{:?}",
        quiet.elapsed()
    );
    assert_eq!(network.open().len(), 0);
}

/// It was made to be ready, and grew old before the first call, when nobody wanted another one any more.
#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced_even_if_it_was_not_called_before_it_was_old() {
    let network = Network::new(100);
    let link = network.link(|config| {
        config.idle_timeout = Some(Duration::from_mins(1));
        config.max_connection_age = Some(Duration::from_secs(75));
    });
    link.connect();
    tokio::time::sleep(Duration::from_secs(85)).await;
    assert_eq!((network.open().len(), network.dials().len()), (1, 1));
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(10) {
        call(&link).await.unwrap();
        settle().await;
        let youngest = network.dials().pop().unwrap();
        assert!(
            youngest.elapsed() <= Duration::from_secs(83),
            "{:?} old after {:?}",
            youngest.elapsed(),
            start.elapsed()
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn old_connections_stay_until_each_has_its_successor() {
    let network = Network::new(100);
    let link = network.link(|config| {
        config.max_connection_age = Some(Duration::from_secs(100));
        config.connections = 3..=3;
    });
    link.connect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(network.open().len(), 3);
    network.script([Connects::Fails; 3]);
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(5) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(network.open().len() >= 3, "after {:?}", start.elapsed());
        assert!(network.open().len() <= 4, "after {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_link_runs_what_is_under_way_and_takes_no_more() {
    let network = Network::new(100);
    let link = network.link(|config| config.connections = 2..=2);
    network.calls_take(Duration::from_secs(30));
    let calls: Vec<_> = (0..10).map(|_| spawn_call(&link)).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.close();
    let status = call(&link).await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason(), status.was_processed()),
        (Code::Unavailable, Some(reason::CHANNEL_CLOSED), false)
    );
    assert!(!is_closed(&link.state().borrow()));
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
    reaches(&link, "closed", is_closed).await;
    assert_eq!(network.under_way.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_drains_runs_its_calls_while_others_go_elsewhere() {
    let network = Network::new(100);
    let link = network.link(|_| ());
    network.calls_take(Duration::from_secs(30));
    let first = spawn_call(&link);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let old = network.open().remove(0);
    old.advance(Phase::Draining);
    let second = spawn_call(&link);
    within("the first", first).await.unwrap().unwrap();
    within("the second", second).await.unwrap().unwrap();
    assert_eq!((network.dials().len(), old.begun()), (2, 1));
}
