//! Application groups.

use std::time::{Duration, Instant};

use rpc::{lb::RoundRobin, prelude::*, registry::Amendment};

use super::support::{Running, server, tally, until_ready};

#[tokio::test]
async fn moving_a_provider_takes_effect_in_two_seconds_and_without_a_failed_call() {
    let memory = MemoryRegistry::new();
    let mut running = Vec::new();
    for name in ["a", "b", "c"] {
        running.push(Running::start(server(name).register(memory.clone(), "who")).await);
    }
    let client = |target: &'static str| {
        Client::builder()
            .registry(memory.clone())
            .target(target)
            .balancer(RoundRobin::new())
            .build()
            .unwrap()
    };
    let (default, vip) = (client("memory:///who"), client("memory:///who?group=vip"));
    until_ready(&default, 3).await;

    let status = vip.ready().await.unwrap_err();
    assert_eq!(
        status.reason(),
        Some("NO_ENDPOINT"),
        "callers see only their group"
    );

    for (moved, left) in [("c", vec!["a", "b"]), ("b", vec!["a"])] {
        let index = usize::from(moved == "c") + 1;
        running[index]
            .instance
            .amend(&Amendment::new().with_groups(["vip"]));
        let start = Instant::now();
        // Calls are made all the time, and none fails.
        loop {
            let seen = tally(&default, 12).await;
            if seen.keys().eq(left.iter()) {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(2), "{seen:?}");
        }
        until_ready(&vip, 3 - left.len()).await;
        let seen = tally(&vip, 12).await;
        assert!(seen.keys().all(|name| !left.contains(&name.as_str())), "{seen:?}");
    }
    // In both groups.
    running[1]
        .instance
        .amend(&Amendment::new().with_groups(["vip", "default"]));
    until_ready(&default, 2).await;
    assert_eq!(tally(&vip, 12).await.len(), 2);
    for running in running {
        running.stop().await;
    }
}

#[test]
fn two_groups_at_once_are_refused() {
    let builder = || {
        Client::builder()
            .registry(MemoryRegistry::new())
            .target("memory:///who?group=vip")
    };
    assert!(builder().group("vip").build().is_ok());
    let error = builder().group("other").build().unwrap_err();
    assert_eq!(error.field(), "group");
    assert!(error.to_string().contains("`vip`"), "{error}");
    assert!(builder().group("").build().is_err());
}
