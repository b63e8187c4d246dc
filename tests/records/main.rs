//! Records of other frameworks, through their own libraries.
//!
//! `cargo xtask test --only records` builds the programs of `tests/peers/registries` and runs this. Each is one framework: it
//! announces an instance, or lists those of a service. Both directions go through a real etcd: what it writes we read, and
//! what we write it reads.

#[path = "../etcd/node.rs"]
#[expect(dead_code, reason = "etcd is not mistreated here")]
mod node;
mod peer;

use std::time::Duration;

use rpc::{
    Instance,
    context::Lane,
    registry::{
        EtcdRegistry, Registry as _, Resolver as _, Update, Watch,
        record::{Directory, Layout},
    },
};
use serde_json::Value;

use self::{
    node::{Node, in_time},
    peer::Peer,
};

/// What the peers announce, and what we do.
const THEIRS: &str = "127.0.0.1:9100";
const OURS: &str = "127.0.0.1:9200";

/// One instance of theirs, read by us; and that it goes when they end.
async fn theirs(peer: &str, layout: Layout) -> (Instance, String) {
    let node = Node::start().await;
    let registry = EtcdRegistry::new(node.etcd()).with_layout(layout);
    let mut watch = registry.resolver_of("shop").unwrap().watch();
    assert!(matches!(watch.next().await.unwrap(), Update::Absent));
    let peer = Peer::announce(peer, &node, "shop", THEIRS).await;
    let found = one(&mut *watch).await;
    let record = raw(&node, layout).await;
    peer.end().await;
    let Update::Delta { put, gone } = in_time(watch.next()).await.unwrap() else {
        panic!("it withdraws its instance when it ends")
    };
    assert!(put.is_empty());
    assert_eq!(gone, std::slice::from_ref(&found.id));
    (found, record)
}

/// One instance of ours, as they list it.
async fn ours(peer: &str, layout: Layout) -> Value {
    let node = Node::start().await;
    // Nobody renews the lease.
    let registry = EtcdRegistry::new(node.etcd())
        .with_layout(layout)
        .with_ttl(Duration::from_mins(10));
    let instance = Instance::new("ours-1")
        .with_address("grpc", OURS.parse().unwrap())
        .with_weight(30)
        .with_lane(Lane::new("red").unwrap())
        .with_zone("z1")
        .with_version("v7")
        .with_metadata("owner", "us & them");
    let mut announced = registry.announce("shop", &instance).await.unwrap();
    let listed = Peer::list(peer, &node, "shop").await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    announced.withdraw().await.unwrap();
    assert_eq!(Peer::list(peer, &node, "shop").await, [Value::Null; 0]);
    listed.into_iter().next().unwrap()
}

async fn one(watch: &mut dyn Watch) -> Instance {
    let Update::Delta { mut put, gone } = in_time(watch.next()).await.unwrap() else {
        panic!("an instance was announced")
    };
    assert_eq!((put.len(), gone.len()), (1, 0));
    put.remove(0).expect("what they write we can read")
}

/// The record as it stands in etcd; and that we would write it so.
async fn raw(node: &Node, layout: Layout) -> String {
    let directory = Directory::new(layout, None, "shop").unwrap();
    let list = node.etcd().list(directory.prefix().to_owned()).await.unwrap();
    assert_eq!(list.entries.len(), 1);
    let entry = &list.entries[0];
    let instance = directory.read(&entry.key, &entry.value).remove(0).unwrap();
    let key = directory.key(&instance, entry.lease.unwrap()).unwrap();
    assert_eq!(String::from_utf8_lossy(&entry.key), key);
    let written = directory.write(&instance).unwrap().unwrap();
    let (theirs, ours) = (text(&entry.value), text(&written));
    if layout != Layout::Grpc {
        assert_eq!(theirs, ours);
    }
    theirs
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("records are text")
}

fn said<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance.metadata.get(key).map(String::as_str)
}

fn grpc(instance: &Instance) -> String {
    instance
        .address_for("grpc")
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[tokio::test]
async fn kratos_is_read() {
    let (instance, record) = theirs("kratos", Layout::Kratos).await;
    assert_eq!(instance.id.as_str(), "kratos-1");
    assert_eq!(grpc(&instance), THEIRS);
    assert_eq!(instance.version.as_deref(), Some("v7"));
    assert_eq!(instance.weight, 30);
    assert_eq!(instance.lane.as_ref().map(Lane::as_str), Some("red"));
    assert_eq!(instance.zone.as_deref(), Some("z1"));
    assert_eq!(said(&instance, "owner"), Some("kratos"));
    assert!(record.contains(r#""color":"red""#), "{record}");
}

#[tokio::test]
async fn kratos_reads() {
    let listed = ours("kratos", Layout::Kratos).await;
    assert_eq!(listed["id"], "ours-1");
    assert_eq!(listed["name"], "shop");
    assert_eq!(listed["version"], "v7");
    assert_eq!(listed["endpoints"][0], format!("grpc://{OURS}"));
    assert_eq!(listed["metadata"]["weight"], "30");
    assert_eq!(listed["metadata"]["color"], "red");
    assert_eq!(listed["metadata"]["owner"], "us & them");
}

#[tokio::test]
async fn go_zero_is_read() {
    let (instance, _) = theirs("gozero", Layout::GoZero).await;
    assert_eq!(grpc(&instance), THEIRS);
}

#[tokio::test]
async fn go_zero_reads() {
    let listed = ours("gozero", Layout::GoZero).await;
    assert_eq!(listed["address"], OURS);
}

#[tokio::test]
async fn grpc_naming_is_read() {
    let (instance, _) = theirs("grpcnaming", Layout::Grpc).await;
    assert_eq!(grpc(&instance), THEIRS);
    assert_eq!(instance.weight, 30);
    assert_eq!(said(&instance, "owner"), Some("grpc"));
}

#[tokio::test]
async fn grpc_naming_reads() {
    let listed = ours("grpcnaming", Layout::Grpc).await;
    assert_eq!(listed["Key"], "shop/ours-1");
    assert_eq!(listed["Endpoint"]["Addr"], OURS);
    assert_eq!(listed["Endpoint"]["Metadata"]["weight"], "30");
    assert_eq!(listed["Endpoint"]["Metadata"]["lane"], "red");
}

#[tokio::test]
async fn go_micro_is_read() {
    let (instance, _) = theirs("gomicro", Layout::GoMicro).await;
    assert_eq!(instance.id.as_str(), "shop-1");
    assert_eq!(grpc(&instance), THEIRS);
    assert_eq!(instance.version.as_deref(), Some("v7"));
    assert_eq!(instance.weight, 30);
}

#[tokio::test]
async fn go_micro_reads() {
    let listed = ours("gomicro", Layout::GoMicro).await;
    assert_eq!(listed["version"], "v7");
    assert_eq!(listed["node"]["id"], "ours-1");
    assert_eq!(listed["node"]["address"], OURS);
    assert_eq!(listed["node"]["metadata"]["protocol"], "grpc");
    assert_eq!(listed["node"]["metadata"]["weight"], "30");
}

#[tokio::test]
async fn kitex_is_read() {
    let (instance, _) = theirs("kitex", Layout::Kitex).await;
    assert_eq!(grpc(&instance), THEIRS);
    // Kitex's usual weight is 10, ours is 100.
    assert_eq!(instance.weight, 300);
    assert_eq!(said(&instance, "owner"), Some("kitex"));
}

#[tokio::test]
async fn kitex_reads() {
    let listed = ours("kitex", Layout::Kitex).await;
    assert_eq!(listed["address"], OURS);
    assert_eq!(listed["weight"], 3);
    assert_eq!(listed["owner"], "us & them");
}
