//! Many calls, while connections come and go.

use std::{sync::Arc, time::Duration};

use rpc_core::transport::supervise::{Phase, Supervised as _};

use super::{call, network::Network, reaches, within};

#[tokio::test(start_paused = true)]
async fn no_call_fails_while_connections_are_drained_one_after_the_other() {
    let network = Network::new(8);
    let link = network.link(|config| {
        config.connections = 1..=3;
        config.max_connection_age = Some(Duration::from_secs(10));
    });
    network.calls_take(Duration::from_millis(20));
    let callers: Vec<_> = (0..30)
        .map(|_| {
            let link = Arc::clone(&link);
            tokio::spawn(async move {
                for _ in 0..500 {
                    within("a call", call(&link)).await.unwrap();
                }
            })
        })
        .collect();
    let drains = {
        let network = Arc::clone(&network);
        let mut chance = fastrand::Rng::with_seed(7);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(chance.u64(50..500))).await;
                if let Some(one) = network.open().first() {
                    one.advance(Phase::Draining);
                }
            }
        })
    };
    for caller in callers {
        caller.await.unwrap();
    }
    drains.abort();
    assert!(network.dials().len() > 10, "{}", network.dials().len());
}

/// A server that closes connections after so many calls costs a tenth of the time at most, on average half of that.
#[tokio::test(start_paused = true)]
async fn connections_that_are_short_by_design_are_made_anew_soon() {
    let network = Network::new(100);
    let link = network.link(|_| ());
    network.calls_take(Duration::from_millis(1));
    let start = tokio::time::Instant::now();
    for _ in 0..200 {
        for _ in 0..10 {
            call(&link).await.unwrap();
        }
        network.open()[0].advance(Phase::Draining);
        reaches(&link, "connecting", |state| !state.is_ready()).await;
    }
    let took = start.elapsed();
    assert!(took < Duration::from_millis(200 * 20 * 12 / 10), "{took:?}");
}
