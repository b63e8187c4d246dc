//! Instances come and go while calls are made.

use std::sync::{Arc, Mutex, atomic::Ordering};

use rpc_registry::InstanceState;

use crate::fleet::{Fleet, address, instance, settle};

#[tokio::test(start_paused = true)]
async fn no_call_fails() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let fleet = Fleet::new();
    let mut running: Vec<(usize, _)> = Vec::new();
    for n in 0..3 {
        running.push((n, fleet.announce(&instance(n)).await));
    }
    fleet.until_ready(3).await;
    let mut next = 3;
    for _ in 0..2000 {
        match random.u8(0..10) {
            // One starts.
            0 if running.len() < 20 => {
                running.push((next, fleet.announce(&instance(next)).await));
                next += 1;
                // It takes a moment until clients know; until then it is not counted on.
                settle().await;
            }
            // One stops: announced, and refusing at once what comes all the same.
            1 if running.len() > 2 => {
                // A call goes elsewhere once: two that stop before the client learns of either are one too many.
                settle().await;
                let (n, mut registration) = running.swap_remove(random.usize(..running.len()));
                fleet.transport.of(&address(n)).refuse();
                if random.bool() {
                    registration
                        .amend(&instance(n).with_state(InstanceState::Draining))
                        .await
                        .unwrap();
                }
                registration.withdraw().await.unwrap();
                // Sometimes the client learns of it before the next call, sometimes after.
                if random.bool() {
                    tokio::task::yield_now().await;
                }
            }
            _ => {
                let peer = fleet.call().await.unwrap().peer.unwrap().to_string();
                assert!(
                    running.iter().any(|(n, _)| address(*n) == peer),
                    "answered by one that stopped"
                );
            }
        }
        if random.u8(0..4) == 0 {
            settle().await;
        }
    }
    settle().await;
    let snapshot = fleet.endpoints.snapshot();
    assert_eq!(snapshot.counts().ready, running.len());
    for n in 0..next {
        let closes = fleet.transport.of(&address(n)).closes.load(Ordering::Relaxed);
        assert_eq!(closes, usize::from(!running.iter().any(|(m, _)| *m == n)));
    }
}

/// A call that finds a closed link in its snapshot would find no other endpoint in there either.
#[tokio::test(start_paused = true)]
async fn a_link_is_closed_only_when_no_snapshot_has_it() {
    let fleet = Fleet::new();
    let mut old = fleet.announce(&instance(0)).await;
    fleet.until_ready(1).await;
    let seen = Arc::new(Mutex::new(None));
    fleet.transport.of(&address(0)).on_close({
        let (seen, endpoints) = (Arc::clone(&seen), fleet.endpoints.clone());
        move || {
            let ready = endpoints.snapshot();
            let addresses = ready
                .ready()
                .iter()
                .map(|endpoint| endpoint.address().to_string());
            *seen.lock().unwrap() = Some(addresses.collect::<Vec<_>>());
        }
    });
    // The client learns of both at once.
    old.withdraw().await.unwrap();
    let _new = fleet.announce(&instance(1)).await;
    settle().await;
    let seen = seen.lock().unwrap().take().expect("its link was closed");
    assert!(!seen.contains(&address(0)), "{seen:?}");
    fleet.call().await.unwrap();
}
