//! When it is dialled, and when not.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use rpc_core::{
    Body, Call,
    status::reason,
    transport::{
        LinkState,
        supervise::{Phase, Supervised as _},
    },
};

use super::{
    UNARY, call, is_idle,
    network::{Connects, Network},
    reaches, settle, within,
};

const MS: Duration = Duration::from_millis(1);

/// The server restarts, and a thousand clients have lost their connection in the same instant.
#[tokio::test(start_paused = true)]
async fn a_fleet_that_lost_its_server_does_not_come_back_in_one_instant() {
    fastrand::seed(7);
    let network = Network::new(100);
    let links: Vec<_> = (0..1000).map(|_| network.link(|_| ())).collect();
    for link in &links {
        call(link).await.unwrap();
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    let before = network.dials().len();
    let lost = tokio::time::Instant::now();
    network.lose_all();
    settle().await;
    for link in &links {
        reaches(link, "ready", LinkState::is_ready).await;
    }
    let dials = network.dials().split_off(before);
    assert_eq!(dials.len(), 1000);
    // Evenly spread over 100 ms: each tenth of it gets a tenth of the fleet, within four standard deviations of chance.
    for tenth in 0..10 {
        let within = |at: &&tokio::time::Instant| {
            let after = **at - lost;
            after >= tenth * 10 * MS && after < (tenth + 1) * 10 * MS
        };
        let share = dials.iter().filter(within).count();
        assert!((62..=138).contains(&share), "{share} in tenth {tenth}");
    }
}

/// The server is gone for a while, and all clients have failed in step.
#[tokio::test(start_paused = true)]
async fn a_fleet_that_waits_for_its_server_spreads_further_with_each_failure() {
    fastrand::seed(7);
    let network = Network::new(100);
    let links: Vec<_> = (0..300)
        .map(|_| network.link(|config| config.backoff.first = Duration::ZERO))
        .collect();
    network.script(vec![Connects::Fails; 900]);
    let start = tokio::time::Instant::now();
    for link in &links {
        link.connect();
    }
    for link in &links {
        reaches(link, "ready", LinkState::is_ready).await;
    }
    let dials = network.dials();
    let spread = |attempt: usize| {
        let at: Vec<_> = dials[attempt * 300..(attempt + 1) * 300].to_vec();
        *at.iter().max().unwrap() - *at.iter().min().unwrap()
    };
    assert_eq!(dials.len(), 1200);
    assert!(dials[..300].iter().all(|at| *at - start < 5 * MS));
    // 1 s, give or take a fifth.
    assert!(spread(1) > 300 * MS && spread(1) <= 405 * MS, "{:?}", spread(1));
    assert!(spread(3) > 600 * MS, "{:?}", spread(3));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_last_does_not_end_the_back_off() {
    let network = Network::new(100);
    let link = network.link(|config| config.backoff.jitter = 0.0);
    network.script([Connects::Fails; 4]);
    link.connect();
    reaches(&link, "ready", LinkState::is_ready).await;
    // Four failures, and now a connection that is lost after four seconds: less than it has to last.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let lost = tokio::time::Instant::now();
    network.lose_all();
    settle().await;
    reaches(&link, "ready", LinkState::is_ready).await;
    // The pause is that after four failures, from when it was dialled.
    let dials = network.dials();
    let pause = *dials.last().unwrap() - dials[dials.len() - 2];
    assert_eq!(pause.as_millis(), 4096, "{:?}", lost.elapsed());
}

/// Whether or not a connection that is closed without a call is made anew: here a call waits, and is on none of them yet.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_on_a_call_that_waits_is_not_dialled_in_a_tight_loop() {
    for reconnect_idle in [true, false] {
        let network = Network::new(100);
        let link = network.link(|config| {
            config.backoff.jitter = 0.0;
            config.backoff.first = Duration::ZERO;
            config.reconnect_idle = reconnect_idle;
        });
        network.script([Connects::HangsUp; 6]);
        let start = tokio::time::Instant::now();
        let status = call(&link).await.unwrap_err();
        assert_eq!(status.reason(), Some(reason::CONNECT_FAILED));
        assert!(!status.was_processed(), "{status}");
        // The first loss counts for none, and calls wait for the two shortest pauses.
        assert_eq!(start.elapsed().as_millis(), 2600);
        let again = call(&link).await.unwrap_err();
        assert_eq!(
            again.message(),
            "the last 4 connections failed or were lost before a call was answered"
        );
        reaches(&link, "ready", LinkState::is_ready).await;
        // None, then 1 s, and 1.6 times as much with each.
        let pauses: Vec<_> = network
            .dials()
            .windows(2)
            .map(|dials| (dials[1] - dials[0]).as_millis())
            .collect();
        assert_eq!(pauses, [0, 1000, 1600, 2560, 4096, 6554], "{reconnect_idle}");
        assert!(start.elapsed() > Duration::from_secs(15));
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_lost_at_once_are_lost_to_one_cause() {
    let network = Network::new(100);
    let link = network.link(|config| config.connections = 4..=4);
    link.connect();
    settle().await;
    assert_eq!(network.open().len(), 4);
    network.lose_all();
    settle().await;
    // Calls wait, as if there had been one.
    call(&link).await.unwrap();
}

/// What servers with a short `max_connection_idle` do.
#[tokio::test(start_paused = true)]
async fn a_server_that_sends_away_what_nobody_calls_is_not_stayed_away_from() {
    for connections in [1, 2] {
        let network = Network::new(100);
        let link = network.link(|config| config.connections = connections..=connections);
        link.connect();
        for round in 0..20 {
            // One that was called on is made anew at once, and that one is left to the next call.
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                network.open().iter().for_each(|one| one.advance(Phase::Draining));
                settle().await;
            }
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert_eq!(
                (network.open().len(), link.state().borrow().to_string()),
                (0, "idle".to_owned())
            );
            let dials = network.dials().len();
            assert!(dials <= (2 * round + 1) * connections, "{dials} in round {round}");
            let called = tokio::time::Instant::now();
            call(&link).await.unwrap();
            assert!(
                called.elapsed().is_zero(),
                "{:?} in round {round}",
                called.elapsed()
            );
        }
    }
}

/// What failed before it is over.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_sent_away_uncalled_after_failures_fails_no_call() {
    let network = Network::new(100);
    let link = network.link(|_| ());
    network.script([Connects::Fails; 4]);
    network.connections_linger(Duration::from_mins(1));
    link.connect();
    reaches(&link, "ready", LinkState::is_ready).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    network.open()[0].advance(Phase::Draining);
    settle().await;
    network.script([Connects::Hangs]);
    let waits = tokio::time::timeout(Duration::from_secs(10), call(&link)).await;
    assert!(waits.is_err(), "{waits:?}");
    assert_eq!(network.dials().len(), 6, "it is dialled for the call");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_keeps_no_connection() {
    let network = Network::new(100);
    let link = network.link(|_| ());
    let mut held = std::pin::pin!(call(&link));
    assert!(tokio::time::timeout(Duration::ZERO, &mut held).await.is_err());
    reaches(&link, "ready", LinkState::is_ready).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        network.open().iter().for_each(|one| one.advance(Phase::Draining));
    }
    assert_eq!(network.dials().len(), 1, "the first one was sent away uncalled");
    held.await.unwrap();
}

/// The connection that is called on goes as well in the end, and what the other one came to counts no more.
#[tokio::test(start_paused = true)]
async fn a_spare_connection_that_is_sent_away_again_and_again_delays_no_call() {
    let network = Network::new(100);
    let link = network.link(|config| config.connections = 2..=2);
    network.calls_take(MS);
    for _ in 0..600 {
        call(&link).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let open = network.open();
        let spare = open.iter().filter(|one| one.begun() == 0);
        spare.for_each(|one| one.advance(Phase::Draining));
        settle().await;
    }
    let dials = network.dials().len();
    assert!(dials < 30, "it is dialled ever more rarely: {dials}");
    network.open().iter().for_each(|one| one.advance(Phase::Draining));
    settle().await;
    let lost = tokio::time::Instant::now();
    call(&link).await.unwrap();
    assert!(lost.elapsed() <= 102 * MS, "{:?}", lost.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lasts_or_answers_ends_the_back_off() {
    for answers in [false, true] {
        let network = Network::new(100);
        let link = network.link(|config| config.backoff.jitter = 0.0);
        network.script([Connects::Fails; 4]);
        link.connect();
        reaches(&link, "ready", LinkState::is_ready).await;
        if answers {
            call(&link).await.unwrap();
        } else {
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
        network.script([Connects::Fails]);
        let lost = tokio::time::Instant::now();
        network.lose_all();
        reaches(&link, "failing", LinkState::is_failing).await;
        assert!(lost.elapsed() <= 101 * MS);
        reaches(&link, "ready", LinkState::is_ready).await;
        // The pause is that after one failure.
        let dials = network.dials();
        let pause = *dials.last().unwrap() - dials[dials.len() - 2];
        assert_eq!(pause.as_millis(), 1000);
    }
}

/// Addresses from which nothing comes back, to clients that soon give up what is idle.
#[tokio::test(start_paused = true)]
async fn a_dial_that_takes_longer_than_a_link_may_be_idle_fails_what_waits_for_it() {
    let network = Network::new(100);
    let link = network.link(|config| {
        config.backoff.jitter = 0.0;
        config.connect_timeout = Duration::from_secs(1);
        config.idle_timeout = Some(100 * MS);
    });
    network.otherwise(Connects::Hangs);
    // Being told to connect is enough: who waits for the link's states, and calls it once it is ready, learns of it.
    link.connect();
    reaches(&link, "failing", LinkState::is_failing).await;
    reaches(&link, "idle", is_idle).await;
    let before = network.dials().len();
    let status = within("a call", call(&link)).await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::CONNECT_FAILED), "{status}");
    // Nobody else calls, and one call goes on to wait.
    let mut patient = Call::new((&UNARY).into(), "proto", Body::Empty);
    patient.options.wait_for_ready = Some(true);
    let waited = tokio::time::timeout(Duration::from_secs(15), link.call(&mut patient)).await;
    assert!(waited.is_err(), "nobody is there");
    let dials = network.dials().split_off(before);
    let pauses: Vec<_> = dials
        .windows(2)
        .map(|two| (two[1] - two[0]).as_millis())
        .collect();
    assert_eq!(pauses, [1000, 1600, 2560, 4096, 6554]);
    reaches(&link, "idle again", is_idle).await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_panics_has_failed() {
    let network = Network::new(100);
    let link = network.link(|config| config.backoff.jitter = 0.0);
    network.script([Connects::Panics; 3]);
    let status = call(&link).await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::CONNECT_FAILED));
    assert!(!status.was_processed(), "{status}");
    assert!(status.message().contains("has a fault"), "{status}");
    reaches(&link, "ready", LinkState::is_ready).await;
    let dials = network.dials();
    let pauses: Vec<_> = dials
        .windows(2)
        .map(|two| (two[1] - two[0]).as_millis())
        .collect();
    assert_eq!(pauses, [1000, 1600, 2560]);
}

#[tokio::test(start_paused = true)]
async fn failed_connects_leave_nothing_behind() {
    let network = Network::new(100);
    let link = network.link(|config| {
        config.idle_timeout = None;
        config.connect_timeout = Duration::from_secs(1);
    });
    let (fails, hangs) = ([Connects::Fails; 500], [Connects::Hangs; 500]);
    network.script(fails.into_iter().zip(hangs).flat_map(<[_; 2]>::from));
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    link.connect();
    reaches(&link, "ready", LinkState::is_ready).await;
    assert_eq!(network.dials().len(), 1001);
    // The connection, and its task beside the supervisor's.
    assert_eq!(network.under_way.load(SeqCst), 1);
    let now = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(now, tasks + 2);
    drop(link);
    settle().await;
    assert_eq!(network.under_way.load(SeqCst), 0);
    let now = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(now, tasks);
}
