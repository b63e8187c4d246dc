//! What is left in etcd of instances that were given up.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rpc::{
    Channel, Instance, Request, Result,
    registry::{
        AnnounceConfig, AnnounceState, Announcer, EtcdRegistry, FaultKind, InstanceHandle, InstanceState,
        Place, Registry as _, Resolver as _, Update, record::Layout,
    },
};
use rpc_etcd::EtcdConfig;

use super::node::{Node, in_time, until};

/// Which leases there are.
mod leases {
    use super::{Request, Result};

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Nothing {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Lease {
        #[prost(int64, tag = "1")]
        pub(super) id: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Leases {
        #[prost(message, repeated, tag = "2")]
        pub(super) leases: Vec<Lease>,
    }

    #[rpc::service(package = "etcdserverpb", name = "Lease", codecs = [Prost])]
    pub(super) trait All {
        async fn lease_leases(&self, request: Request<Nothing>) -> Result<Leases>;
    }
}

fn instance() -> Instance {
    Instance::new("a").with_address("grpc", "127.0.0.1:9000".parse().unwrap())
}

#[tokio::test]
async fn an_announcement_that_fails_leaves_no_lease_behind() {
    use leases::All as _;

    let limit = ["--max-request-bytes=1000".to_owned()];
    let (node, etcd) = Node::start_with("http", &limit, |address| EtcdConfig::new([address])).await;
    let client = rpc::Client::builder()
        .target(format!("static://{}", node.address()))
        .build()
        .unwrap();
    let all = leases::AllClient::new(Channel::from(&client));
    let count = || async {
        let leases = all.lease_leases(Request::new(leases::Nothing {})).await.unwrap();
        leases.leases.len()
    };
    let registry = EtcdRegistry::new(etcd).with_ttl(Duration::from_mins(10));
    let _announced = registry.announce("shop", &instance()).await.unwrap();
    assert_eq!(count().await, 1);
    let large = instance().with_metadata("note", "x".repeat(10_000));
    let announced = registry.announce("shop", &large).await;
    let fault = announced.err().expect("etcd refuses the record");
    assert_eq!(fault.kind(), FaultKind::Invalid, "{fault}");
    until("its lease is revoked", || async { count().await == 1 }).await;
}

#[tokio::test]
async fn a_stop_leaves_the_successor_of_the_same_id_alone() {
    let node = Node::start().await;
    let registry = EtcdRegistry::new(node.etcd());
    let mut old = registry.announce("shop", &instance()).await.unwrap();
    let mut new = registry.announce("shop", &instance()).await.unwrap();
    let fault = old.verify().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Superseded, "{fault}");
    let draining = instance().with_state(InstanceState::Draining);
    let fault = old.amend(&draining).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Lost, "{fault}");
    old.withdraw().await.unwrap();
    assert_eq!(new.verify().await.unwrap(), Some(instance()));
    new.amend(&draining).await.unwrap();
    assert_eq!(new.verify().await.unwrap(), Some(draining.clone()));
    // One that somebody has deleted is not written again either.
    let key = "/microservices/shop/a";
    assert!(node.etcd().delete(key).await.unwrap());
    let fault = new.amend(&instance()).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Lost, "{fault}");
    assert_eq!(node.etcd().get(key).await.unwrap(), None);
}

#[tokio::test]
async fn who_started_later_keeps_the_record_until_it_stops() {
    let node = Node::start().await;
    let registry = Arc::new(EtcdRegistry::new(node.etcd()).with_ttl(Duration::from_secs(2)));
    let start = |seconds| {
        let started_at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let handle = InstanceHandle::new(instance().with_started_at(started_at));
        handle.set_healthy(true);
        let mut config = AnnounceConfig::default();
        config.verify = Duration::from_millis(100);
        let place = Place::new(Arc::clone(&registry) as _, "shop");
        let announcer = Announcer::new(place, &handle, config);
        let state = announcer.state();
        (handle, state, tokio::spawn(announcer.run()))
    };
    let is_announced = |state: &AnnounceState| matches!(state, AnnounceState::Announced);
    let is_superseded = |state: &AnnounceState| matches!(state, AnnounceState::Away(fault) if fault.kind() == FaultKind::Superseded);
    let key = "/microservices/shop/a";
    let etcd = node.etcd();

    let (_old, mut old_state, _running) = start(1);
    in_time(old_state.wait_for(is_announced)).await.unwrap();
    let (middle, mut middle_state, middle_ended) = start(2);
    in_time(middle_state.wait_for(is_announced)).await.unwrap();
    in_time(old_state.wait_for(is_superseded)).await.unwrap();
    let (new, mut new_state, new_ended) = start(3);
    in_time(new_state.wait_for(is_announced)).await.unwrap();
    in_time(middle_state.wait_for(is_superseded)).await.unwrap();
    let record = etcd.get(key).await.unwrap();
    middle.withdraw();
    in_time(middle_ended).await.unwrap().unwrap();
    assert_eq!(etcd.get(key).await.unwrap(), record);
    new.withdraw();
    in_time(new_ended).await.unwrap().unwrap();
    in_time(old_state.wait_for(is_announced)).await.unwrap();
    assert!(etcd.get(key).await.unwrap().is_some());
}

#[tokio::test]
async fn an_address_that_is_a_part_of_the_key_can_change() {
    let node = Node::start().await;
    let registry = EtcdRegistry::new(node.etcd()).with_layout(Layout::Kitex);
    let key = |port: u16| format!("kitex/registry-etcd/shop/127.0.0.1:{port}");
    let handle = InstanceHandle::new(instance());
    handle.set_healthy(true);
    let place = Place::new(Arc::new(registry.clone()), "shop");
    let announcer = Announcer::new(place, &handle, AnnounceConfig::default());
    let mut state = announcer.state();
    let ended = tokio::spawn(announcer.run());
    let is_announced = |state: &AnnounceState| matches!(state, AnnounceState::Announced);
    in_time(state.wait_for(is_announced)).await.unwrap();
    let etcd = node.etcd();
    let lease = etcd.get(key(9000)).await.unwrap().unwrap().lease;
    let mut watch = registry.resolver_of("shop").unwrap().watch();
    in_time(watch.next()).await.unwrap();

    let moved = Instance::new("a").with_any_address("127.0.0.1:9001".parse().unwrap());
    handle.update(|instance| instance.addresses.clone_from(&moved.addresses));
    let Update::Delta { put, gone } = in_time(watch.next()).await.unwrap() else {
        panic!("it has changed, and nothing else")
    };
    assert_eq!(put.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), [moved]);
    assert!(gone.is_empty());
    assert_eq!(etcd.get(key(9000)).await.unwrap(), None);
    assert_eq!(etcd.get(key(9001)).await.unwrap().unwrap().lease, lease);
    handle.withdraw();
    in_time(ended).await.unwrap().unwrap();
    assert_eq!(etcd.get(key(9001)).await.unwrap(), None);
}
