//! go-micro: one key a node, each with the whole service around it.
//!
//! ```json
//! {"name":"greeter","version":"latest","metadata":null,"endpoints":[],
//!  "nodes":[{"metadata":{"protocol":"grpc"},"id":"greeter-8f","address":"10.0.0.1:9000"}]}
//! ```
//!
//! What a service says of itself and its endpoints is kept as it is. Nodes are read one by one: a bad one hides no other.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    common::{self, Texts},
    fields::{Fields, raw, to_json},
};
use crate::{BadRecord, Fault, Instance, InstanceAddress, Record as Read};

const NODE: &str = "node.";
const PROTOCOL: &str = "protocol";

#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    version: &'a str,
    metadata: Option<Box<RawValue>>,
    endpoints: Option<Box<RawValue>>,
    nodes: [Node<'a>; 1],
    #[serde(flatten)]
    unknown: BTreeMap<&'a str, Box<RawValue>>,
}

#[derive(Serialize)]
struct Node<'a> {
    metadata: Texts,
    id: &'a str,
    address: String,
    #[serde(flatten)]
    unknown: BTreeMap<&'a str, Box<RawValue>>,
}

/// The nodes; `tail` is the end of the key, and names a record that cannot be read at all.
pub(super) fn read(tail: &str, value: &[u8]) -> Vec<Read> {
    let record = || {
        let mut fields = Fields::of_record(value)?;
        let nodes: Vec<Box<RawValue>> = fields.require("nodes")?;
        let _name: Option<String> = fields.take("name")?;
        let version: Option<String> = fields.take("version")?;
        let of_service: BTreeMap<String, String> =
            fields.left("").filter(|(_, json)| json != "null").collect();
        Ok((nodes, version, of_service))
    };
    let (nodes, version, of_service) = match record() {
        Ok(record) => record,
        Err(fault) => return vec![Err(BadRecord::new(tail, fault))],
    };
    let version = version.filter(|version| !version.is_empty());
    let read = |(index, node): (usize, &RawValue)| {
        let place = format!("nodes[{index}]");
        let mut id = tail.to_owned();
        read_node(&place, node, &mut id)
            .map(|mut instance| {
                instance.version = version.as_deref().map(Into::into);
                instance.unknown.extend(of_service.clone());
                instance
            })
            .map_err(|fault| BadRecord::new(id, fault))
    };
    nodes.iter().map(|node| &**node).enumerate().map(read).collect()
}

fn read_node(place: &str, node: &RawValue, id: &mut String) -> Result<Instance, Fault> {
    let mut fields = Fields::within(place, node)?;
    *id = fields.require("id")?;
    let mut instance = Instance::new(id.as_str());
    let text: String = fields.require("address")?;
    let address = common::address(&text, &format!("{place}.address"))?;
    let texts: Texts = fields.take("metadata")?.unwrap_or_default();
    instance
        .addresses
        .push(match texts.get(PROTOCOL).map(String::as_str) {
            Some("grpc") => InstanceAddress::new("grpc", address),
            Some(other) if !other.is_empty() => InstanceAddress::new(other.to_owned(), address),
            _ => InstanceAddress::any(address),
        });
    // A placeholder: versions are the service's, and a node's own word of that name is no version of ours.
    instance.version = Some("".into());
    common::read(&mut instance, texts, &format!("{place}.metadata"))?;
    instance.unknown = fields.left(NODE).collect();
    Ok(instance)
}

pub(super) fn write(name: &str, instance: &Instance) -> Result<Vec<u8>, Fault> {
    let mut metadata = common::write(instance, common::LANE, true, false);
    let address = common::tcp_address(instance, "grpc")?;
    let protocol = instance.addresses.iter().find(|at| at.address == *address);
    // It has no word for TLS: its servers say `grpc` with it and without.
    let protocol = protocol.and_then(|at| at.over_tls().or(at.protocol.as_deref()));
    let protocol = protocol.unwrap_or("grpc");
    // What go-micro's own servers say of themselves; its clients choose by some of it.
    for (key, usual) in [
        (PROTOCOL, protocol),
        ("server", protocol),
        ("transport", protocol),
        ("registry", "etcd"),
    ] {
        metadata.entry(key.to_owned()).or_insert_with(|| usual.to_owned());
    }
    let (mut service, mut node) = (BTreeMap::new(), BTreeMap::new());
    for (field, json) in &instance.unknown {
        let Some(json) = raw(json) else { continue };
        match field.strip_prefix(NODE) {
            Some(key) if !["id", "address", "metadata"].contains(&key) => drop(node.insert(key, json)),
            None if !["name", "version", "nodes"].contains(&field.as_str()) => {
                service.insert(field.as_str(), json);
            }
            _ => {}
        }
    }
    to_json(&Record {
        name,
        version: instance.version.as_deref().unwrap_or("latest"),
        metadata: service.remove("metadata"),
        endpoints: service.remove("endpoints"),
        nodes: [Node {
            metadata,
            id: instance.id.as_str(),
            address: address.to_string(),
            unknown: node,
        }],
        unknown: service,
    })
}
