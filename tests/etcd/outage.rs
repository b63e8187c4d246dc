//! Clients go on calling whatever happens to etcd, and providers come back.

use std::time::Duration;

use rpc::{
    Instance,
    registry::{
        EtcdRegistry, Filter, Follow,
        follow::FollowConfig,
        record::{Directory, Layout},
    },
};
use tokio::time::Instant;

use super::{
    fleet::{Provider, announced, fleet, records},
    node::{Node, in_time, until},
};

#[tokio::test]
async fn killed_and_started_again() {
    let mut node = Node::start().await;
    let (_providers, traffic) = fleet(&node).await;
    for _ in 0..2 {
        node.kill();
        traffic.goes_on_for(Duration::from_secs(2)).await;
        node.restart().await;
        announced(&node, &["a", "b", "c"]).await;
        traffic.goes_on(50).await;
    }
    // Both streams work again: who comes is seen, who goes as well.
    let new = Provider::start(&node, "new").await;
    traffic.reaches("new").await;
    new.stop().await;
    traffic.goes_on(125).await;
}

#[tokio::test]
async fn stopped_for_longer_than_the_leases_last() {
    let node = Node::start().await;
    let (_providers, traffic) = fleet(&node).await;
    node.pause();
    traffic.goes_on_for(Duration::from_secs(8)).await;
    node.resume();
    node.answers(&node.etcd()).await;
    let etcd = node.etcd();
    until("all are announced, and on leases that live", || async {
        let now = records(&etcd).await;
        let mut alive = now.len() == 3;
        for entry in now.values() {
            alive &= etcd.keep_alive(entry.lease.unwrap()).await.is_ok();
        }
        alive
    })
    .await;
    traffic.goes_on_for(Duration::from_secs(4)).await;
    announced(&node, &["a", "b", "c"]).await;
    let _new = Provider::start(&node, "new").await;
    traffic.reaches("new").await;
    traffic.has_not_failed();
}

#[tokio::test]
async fn leases_revoked_and_history_compacted_behind_our_back() {
    let node = Node::start().await;
    let (_providers, traffic) = fleet(&node).await;
    let etcd = node.etcd();
    for _ in 0..3 {
        let (_, before) = announced(&node, &["a", "b", "c"]).await;
        for entry in before.values() {
            etcd.revoke(entry.lease.unwrap()).await.unwrap();
        }
        let list = etcd.list("/").await.unwrap();
        etcd.compact(list.position.revision).await.unwrap();
        let (took, after) = announced(&node, &["a", "b", "c"]).await;
        println!("announced again after {took:?}, on leases of 3 s");
        for (id, entry) in &after {
            assert_ne!(entry.lease, before[id].lease, "{id} has a lease of its own again");
        }
        traffic.goes_on(125).await;
    }
}

#[tokio::test]
async fn set_up_anew_and_empty() {
    let mut node = Node::start().await;
    let (_providers, traffic) = fleet(&node).await;
    node.wipe().await;
    // Whoever watches sees an empty list before the first one is announced again, or a list of one or two.
    announced(&node, &["a", "b", "c"]).await;
    traffic.goes_on_for(Duration::from_secs(4)).await;
    let _new = Provider::start(&node, "new").await;
    traffic.reaches("new").await;
    traffic.has_not_failed();
}

#[tokio::test]
async fn a_provider_that_stops_in_good_order_fails_no_call() {
    let node = Node::start().await;
    let ([a, _b, _c], traffic) = fleet(&node).await;
    let stopping = tokio::spawn(a.stop());
    announced(&node, &["b", "c"]).await;
    in_time(stopping).await.unwrap();
    // Who was answered in the last moment has noticed that.
    traffic.goes_on(1).await;
    let so_far = traffic.answers_of("a");
    traffic.goes_on(125).await;
    assert_eq!(traffic.answers_of("a"), so_far, "nobody calls who is gone");
}

#[tokio::test]
async fn five_thousand_instances() {
    let node = Node::start().await;
    let (_providers, traffic) = fleet(&node).await;
    let etcd = node.etcd();
    let directory = Directory::new(Layout::Kratos, None, "shop").unwrap();
    let lease = etcd.grant(Duration::from_mins(5)).await.unwrap();
    let writers = (0..8).map(|writer| {
        let (etcd, directory) = (etcd.clone(), directory.clone());
        tokio::spawn(async move {
            for number in (writer..5_000).step_by(8) {
                let instance = Instance::new(format!("bulk-{number}"))
                    .with_address("grpc", format!("10.0.0.1:{}", number + 1).parse().unwrap())
                    .with_group("bulk");
                let key = directory.key(&instance, lease.id).unwrap();
                let record = directory.write(&instance).unwrap().unwrap();
                etcd.put(key, record, Some(lease.id)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        in_time(writer).await.unwrap();
    }
    traffic.has_not_failed();

    // A client of that group has all of them, and nobody else has any.
    let since = Instant::now();
    let resolver = EtcdRegistry::new(etcd.clone()).resolver_of("shop").unwrap();
    let mut config = FollowConfig::default();
    config.filter = Filter::new();
    config.filter.group = Some("bulk".to_owned());
    let mut follow = Follow::with_config("shop", &resolver, config);
    let mut listed = 0;
    while listed < 5_000 {
        listed += in_time(follow.next()).await.put.len();
    }
    println!("5,000 instances were listed after {:?}", since.elapsed());

    let _new = Provider::start(&node, "new").await;
    traffic.reaches("new").await;
    // All of them at once, as a mass expiry is.
    etcd.revoke(lease.id).await.unwrap();
    announced(&node, &["a", "b", "c", "new"]).await;
    traffic.goes_on(125).await;
}
