//! What is left in etcd of instances that were given up.

use std::time::Duration;

use rpc::{
    Channel, Instance, Request, Result,
    registry::{EtcdRegistry, FaultKind, InstanceState, Registry as _},
};
use rpc_etcd::EtcdConfig;

use super::node::{Node, until};

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
