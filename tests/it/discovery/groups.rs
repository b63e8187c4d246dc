//! Application groups.

use std::time::Duration;

use rpc::{LocalServers, lb::RoundRobin, net::Address, prelude::*, registry::Amendment};
use tokio::time::{Instant, sleep};

use super::support::{Running, in_time, server, tally, until_ready};

/// Two of three providers move into another group while calls are made, none of which may fail. How long it took at most until a
/// client had taken a move on. Servers in `near` are called in this process, others over their sockets.
async fn moving_providers_takes_effect(near: Option<&LocalServers>) -> Duration {
    let memory = MemoryRegistry::new();
    let mut running = Vec::new();
    for name in ["a", "b", "c"] {
        let server = server(name).register(memory.clone(), "who");
        let server = match near {
            Some(near) => server.local_servers(near),
            None => server,
        };
        running.push(Running::start(server).await);
    }
    let client = |target: &'static str| {
        let client = Client::builder()
            .registry(memory.clone())
            .target(target)
            .balancer(RoundRobin::new());
        match near {
            Some(near) => client.local_servers(near),
            None => client,
        }
        .build()
        .unwrap()
    };
    let (default, vip) = (client("memory:///who"), client("memory:///who?group=vip"));
    until_ready(&default, 3).await;
    for endpoint in default.endpoints().snapshot().ready() {
        let is_near = matches!(endpoint.address(), Address::Local(_));
        assert_eq!(is_near, near.is_some());
    }

    let status = vip.ready().await.unwrap_err();
    assert_eq!(
        status.reason(),
        Some("NO_ENDPOINT"),
        "callers see only their group"
    );

    let mut longest = Duration::ZERO;
    for (moved, left) in [("c", vec!["a", "b"]), ("b", vec!["a"])] {
        let index = usize::from(moved == "c") + 1;
        running[index]
            .instance
            .amend(&Amendment::new().with_groups(["vip"]));
        let start = Instant::now();
        in_time(async {
            while !tally(&default, 12).await.keys().eq(left.iter()) {
                // Where the clock is paused it goes on only while everybody waits.
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        longest = longest.max(start.elapsed());
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
    longest
}

#[tokio::test]
async fn moving_providers_takes_effect_without_a_failed_call() {
    moving_providers_takes_effect(None).await;
}

/// By our own timers: nothing is held back for seconds, as it would be if the providers had vanished.
#[tokio::test(start_paused = true)]
async fn moving_providers_takes_effect_in_two_seconds() {
    let longest = moving_providers_takes_effect(Some(&LocalServers::new())).await;
    assert!(longest < Duration::from_secs(2), "{longest:?}");
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

#[tokio::test]
async fn a_group_leaves_plain_addresses_alone_and_is_refused_where_there_is_nothing_else() {
    let memory = MemoryRegistry::new();
    let plain = Running::start(server("plain").register(MemoryRegistry::new(), "who")).await;
    let mut running = Vec::new();
    for (name, group) in [("a", "vip"), ("b", "default")] {
        let builder = server(name).instance(Instance::new(name).with_group(group));
        running.push(Running::start(builder.register(memory.clone(), "who")).await);
    }
    let client = Client::builder()
        .registry(memory)
        .target("memory:///who")
        .also(format!("static://{}", plain.address))
        .group("vip")
        .balancer(RoundRobin::new())
        .build()
        .unwrap();
    until_ready(&client, 2).await;
    let seen = tally(&client, 12).await;
    assert!(seen.keys().eq(["a", "plain"]), "{seen:?}");
    for target in ["static://127.0.0.1:1", "unix:/run/shop.sock"] {
        let error = Client::builder().target(target).group("vip").build().unwrap_err();
        assert_eq!(error.field(), "group");
        assert!(error.to_string().contains(target), "{error}");
    }
    plain.stop().await;
    for running in running {
        running.stop().await;
    }
}
