//! What clients see of a service while etcd is mistreated.

use std::{collections::BTreeMap, time::Duration};

use rpc::{
    Instance,
    registry::{
        Amendment, EtcdRegistry, FaultKind, Follow, Freshness, InstanceId, InstanceState, Registry as _,
        Resolver as _, Update,
        follow::{FollowConfig, HoldBack},
        record::{Directory, Layout},
    },
};
use rpc_etcd::Etcd;
use tokio::time::{Instant, sleep};

use super::node::{LONG, Node, in_time};

/// Before etcd is asked again.
const PAUSE: Duration = Duration::from_millis(20);

fn instance(id: &str, weight: u32) -> Instance {
    Instance::new(id)
        .with_address("grpc", "127.0.0.1:9000".parse().unwrap())
        .with_weight(weight)
}

/// What is told, as is: nothing is held back.
fn follow(registry: &EtcdRegistry) -> Follow {
    let mut config = FollowConfig::default();
    config.hold_back = HoldBack::off();
    config.hold_back.more_than = usize::MAX;
    Follow::with_config("shop", &registry.resolver_of("shop").unwrap(), config)
}

/// The list, once all that was told is taken on.
#[derive(Default)]
struct Seen(BTreeMap<InstanceId, u32>);

impl Seen {
    async fn next(&mut self, follow: &mut Follow) {
        let change = in_time(follow.next()).await;
        for id in change.gone {
            self.0.remove(&id);
        }
        for listed in change.put {
            self.0.insert(listed.instance.id.clone(), listed.instance.weight);
        }
    }

    async fn until(&mut self, follow: &mut Follow, is: impl Fn(&Self) -> bool) {
        while !is(self) {
            self.next(follow).await;
        }
    }

    fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }
}

/// Puts, changes and removes records at random.
async fn write(etcd: Etcd, seed: u64, writes: usize) {
    let directory = directory();
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..writes {
        let instance = instance(&format!("i{}", random.u8(..40)), random.u32(1..1000));
        let key = directory.key(&instance, 1).unwrap();
        let remove = random.u8(..3) == 0;
        // Until etcd has said that it is done: all of it may be done twice.
        let deadline = Instant::now() + LONG;
        loop {
            let done = if remove {
                etcd.delete(key.clone()).await.map(drop)
            } else {
                let record = directory.write(&instance).unwrap().unwrap();
                etcd.put(key.clone(), record, None).await
            };
            let Err(status) = done else { break };
            assert!(Instant::now() < deadline, "seed {seed}: {status}");
            sleep(PAUSE).await;
        }
    }
}

/// Nobody renews what is announced by hand: it stays for longer than any test takes.
fn by_hand(node: &Node) -> EtcdRegistry {
    EtcdRegistry::new(node.etcd()).with_ttl(Duration::from_mins(10))
}

fn directory() -> Directory {
    Directory::new(Layout::Kratos, None, "shop").unwrap()
}

/// What is in etcd now.
async fn there(etcd: &Etcd) -> BTreeMap<InstanceId, u32> {
    let directory = directory();
    let list = etcd.list(directory.prefix().to_owned()).await.unwrap();
    let records = list
        .entries
        .iter()
        .flat_map(|entry| directory.read(&entry.key, &entry.value));
    records
        .flatten()
        .map(|instance| (instance.id, instance.weight))
        .collect()
}

#[tokio::test]
async fn nothing_is_missed_whatever_happens_to_etcd() {
    let mut node = Node::start().await;
    let seed = fastrand::u64(..);
    let mut follow = follow(&EtcdRegistry::new(node.etcd()));
    let mut shown = Seen::default();
    let admin = node.etcd();
    for round in 0..6_u64 {
        let writer = tokio::spawn(write(node.etcd(), seed ^ round, 300));
        match round {
            0 | 3 => node.restart().await,
            1 => {
                node.pause();
                sleep(Duration::from_secs(2)).await;
                node.resume();
            }
            2 | 4 => {
                // Below the feet of whoever watches; and gone before it can go on from where it stood.
                node.answers(&admin).await;
                let list = admin.list("/").await.unwrap();
                admin.compact(list.position.revision).await.unwrap();
                node.restart().await;
            }
            _ => {}
        }
        in_time(writer).await.expect("the writer has no reason to fail");
        // The last word of the round.
        node.answers(&admin).await;
        let last = instance(&format!("last-{round}"), 1);
        let record = directory().write(&last).unwrap().unwrap();
        admin
            .put(directory().key(&last, 1).unwrap(), record, None)
            .await
            .unwrap();
        shown
            .until(&mut follow, |shown| shown.has(last.id.as_str()))
            .await;
        assert_eq!(shown.0, there(&admin).await, "seed {seed}, round {round}");
    }
}

#[tokio::test]
async fn a_compaction_costs_one_list_and_a_new_etcd_is_noticed() {
    let mut node = Node::start().await;
    let registry = by_hand(&node);
    let _kept = registry.announce("shop", &instance("a", 1)).await.unwrap();
    let mut watch = registry.resolver_of("shop").unwrap().watch();
    let Update::Snapshot(list) = in_time(watch.next()).await.unwrap() else {
        panic!("the first update is a list")
    };
    assert_eq!(list.len(), 1);

    // Compaction under a watch that is open does it no harm.
    let etcd = node.etcd();
    let there = etcd.list("/").await.unwrap();
    let _second = registry.announce("shop", &instance("b", 1)).await.unwrap();
    let Update::Delta { put, gone } = in_time(watch.next()).await.unwrap() else {
        panic!("a change")
    };
    assert_eq!((put.len(), gone.len()), (1, 0));
    etcd.compact(there.position.revision).await.unwrap();
    let _third = registry.announce("shop", &instance("c", 1)).await.unwrap();
    let Update::Delta { put, .. } = in_time(watch.next()).await.unwrap() else {
        panic!("a change")
    };
    assert_eq!(put[0].as_ref().unwrap().id.as_str(), "c");

    // Compaction of what it has not seen yet: one fault, then one list.
    node.kill();
    let fault = in_time(watch.next()).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Transient, "{fault}");
    node.restart().await;
    let _fourth = registry.announce("shop", &instance("d", 1)).await.unwrap();
    let _fifth = registry.announce("shop", &instance("e", 1)).await.unwrap();
    // The witness of the history stays: it is the revision that is gone.
    let there = etcd.list("/").await.unwrap();
    etcd.compact(there.position.revision).await.unwrap();
    let behind = in_time(async {
        loop {
            match watch.next().await {
                Err(fault) if fault.kind() == FaultKind::Transient => sleep(PAUSE).await,
                // It answers again: what it does not have any more, it says next.
                Ok(Update::Delta { put, gone }) if put.is_empty() && gone.is_empty() => {}
                other => break other.unwrap_err(),
            }
        }
    })
    .await;
    assert_eq!(behind.kind(), FaultKind::Behind, "{behind}");
    let Update::Snapshot(list) = in_time(watch.next()).await.unwrap() else {
        panic!("it begins anew")
    };
    assert_eq!(list.len(), 5);

    // An etcd that has forgotten everything, and whose revision is beyond the one that was known.
    node.wipe().await;
    for _ in 0..50 {
        etcd.put("/elsewhere", "1", None).await.unwrap();
    }
    let update = in_time(async {
        loop {
            match watch.next().await {
                Err(_) => sleep(PAUSE).await,
                Ok(update) => break update,
            }
        }
    })
    .await;
    assert!(matches!(update, Update::Absent), "{update:?}");
}

#[tokio::test]
async fn two_keys_of_one_address_are_one_instance() {
    let node = Node::start().await;
    let registry = by_hand(&node).with_layout(Layout::GoZero);
    // A process that came back before its old lease ended.
    let mut old = registry.announce("shop.rpc", &instance("a", 1)).await.unwrap();
    let mut watch = registry.resolver_of("shop.rpc").unwrap().watch();
    assert!(matches!(watch.next().await.unwrap(), Update::Snapshot(list) if list.len() == 1));
    let mut new = registry.announce("shop.rpc", &instance("a", 1)).await.unwrap();
    assert!(matches!(
        in_time(watch.next()).await.unwrap(),
        Update::Delta { .. }
    ));
    old.withdraw().await.unwrap();
    new.withdraw().await.unwrap();
    // Only the second one takes the instance away.
    let Update::Delta { put, gone } = in_time(watch.next()).await.unwrap() else {
        panic!("a change")
    };
    assert_eq!((put.len(), gone.len()), (0, 1));
}

#[tokio::test]
async fn an_instance_that_has_come_back_elsewhere_is_where_it_was_announced_last() {
    let node = Node::start().await;
    let registry = by_hand(&node).with_layout(Layout::Kitex);
    let at = |port, weight| {
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        Instance::new("a")
            .with_address("grpc", address)
            .with_weight(weight)
    };
    // The old key comes later in the list.
    let mut old = registry.announce("shop", &at(9002, 20)).await.unwrap();
    let mut new = registry.announce("shop", &at(9001, 10)).await.unwrap();
    let mut follow = follow(&registry);
    let mut seen = Seen::default();
    let weighs = |weight| move |seen: &Seen| seen.0.get("a") == Some(&weight);
    seen.until(&mut follow, weighs(10)).await;
    let _other = registry.announce("shop", &instance("b", 10)).await.unwrap();
    seen.until(&mut follow, |seen| seen.has("b")).await;
    // What its last announcement hid is in force when that goes, by a list of all.
    new.withdraw().await.unwrap();
    seen.until(&mut follow, weighs(20)).await;
    let mut new = registry.announce("shop", &at(9001, 10)).await.unwrap();
    seen.until(&mut follow, weighs(10)).await;
    old.withdraw().await.unwrap();
    new.withdraw().await.unwrap();
    seen.until(&mut follow, |seen| !seen.has("a")).await;
}

#[tokio::test]
async fn a_bad_record_hides_no_good_one_and_the_last_good_one_stays() {
    let node = Node::start().await;
    let etcd = node.etcd();
    let registry = by_hand(&node);
    let mut a = registry.announce("shop", &instance("a", 1)).await.unwrap();
    etcd.put("/microservices/shop/bad", "{", None).await.unwrap();
    let mut follow = follow(&registry);
    let mut seen = Seen::default();
    seen.until(&mut follow, |seen| seen.has("a")).await;
    assert_eq!(seen.0.len(), 1);
    assert_eq!(follow.view().refused.len(), 1);
    etcd.put("/microservices/shop/a", "nonsense", None).await.unwrap();
    let _b = registry.announce("shop", &instance("b", 1)).await.unwrap();
    seen.until(&mut follow, |seen| seen.has("b")).await;
    assert!(seen.has("a"));
    // Whoever announced it finds that out.
    let fault = a.verify().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Lost, "{fault}");
}

#[tokio::test]
async fn an_operator_changes_a_record_under_the_lease_that_it_has() {
    let node = Node::start().await;
    let etcd = node.etcd();
    let registry = by_hand(&node);
    let mut owner = registry.announce("shop", &instance("a", 1)).await.unwrap();
    let lease = etcd.get("/microservices/shop/a").await.unwrap().unwrap().lease;
    let disabled = Amendment::new().with_state(InstanceState::Disabled);
    let fault = registry.amend("shop", &"b".into(), &disabled).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Lost, "{fault}");

    registry.amend("shop", &"a".into(), &disabled).await.unwrap();
    let entry = etcd.get("/microservices/shop/a").await.unwrap().unwrap();
    assert_eq!(entry.lease, lease);
    let found = owner.verify().await.unwrap().unwrap();
    assert_eq!(found.state, InstanceState::Disabled);
    assert!(found.metadata.contains_key(Instance::OPERATOR));
    assert_eq!(found.weight, 1);

    // The owner may have the last word, and it goes with the owner's lease.
    owner.renew().await.unwrap();
    owner.amend(&instance("a", 2)).await.unwrap();
    assert_eq!(owner.verify().await.unwrap().unwrap(), instance("a", 2));
    let renamed = owner.amend(&instance("b", 2)).await.unwrap_err();
    assert_eq!(renamed.kind(), FaultKind::Invalid, "{renamed}");
    owner.withdraw().await.unwrap();
    owner.withdraw().await.unwrap();
    assert_eq!(etcd.get("/microservices/shop/a").await.unwrap(), None);
    let fault = owner.renew().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Lost, "{fault}");

    // An address is all that go-zero says.
    let registry = by_hand(&node).with_layout(Layout::GoZero);
    let _owner = registry.announce("shop.rpc", &instance("a", 1)).await.unwrap();
    let fault = registry
        .amend("shop.rpc", &"127.0.0.1:9000".into(), &disabled)
        .await
        .unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Invalid, "{fault}");
}

#[tokio::test]
async fn an_etcd_that_is_back_is_told_of_though_nothing_has_changed() {
    let mut node = Node::start().await;
    let record = directory().write(&instance("a", 1)).unwrap().unwrap();
    let etcd = node.etcd();
    etcd.put("/microservices/shop/a", record, None).await.unwrap();
    let mut follow = follow(&EtcdRegistry::new(etcd));
    assert_eq!(in_time(follow.next()).await.put.len(), 1);
    node.kill();
    let change = in_time(follow.next()).await;
    assert!(matches!(change.freshness, Freshness::Stale { .. }), "{change:?}");
    node.restart().await;
    let change = in_time(follow.next()).await;
    assert!(matches!(change.freshness, Freshness::Live), "{change:?}");
    assert!(change.put.is_empty() && change.gone.is_empty());
}
