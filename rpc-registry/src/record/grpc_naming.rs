//! etcd's naming for grpc-go: one key an endpoint.
//!
//! ```json
//! {"Op":0,"Addr":"10.0.0.1:9000","Metadata":null}
//! ```
//!
//! `Metadata` is whatever the writer likes. Ours is an object of texts; of others, texts and numbers are understood, and the
//! rest is kept.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    common::{self, Texts},
    fields::{Fields, raw, to_json},
};
use crate::{Fault, Instance};

const METADATA: &str = "Metadata";
const INSIDE: &str = "Metadata.";

#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "Op")]
    op: u8,
    #[serde(rename = "Addr")]
    address: String,
    #[serde(rename = "Metadata")]
    metadata: Option<Metadata<'a>>,
    #[serde(flatten)]
    unknown: BTreeMap<&'a str, Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Metadata<'a> {
    Object(BTreeMap<&'a str, Box<RawValue>>),
    Other(Box<RawValue>),
}

/// `None` if the record says that the endpoint is gone.
pub(super) fn read(id: &str, value: &[u8]) -> Result<Option<Instance>, Fault> {
    let mut fields = Fields::of_record(value)?;
    let op: Option<u8> = fields.take("Op")?;
    if op.is_some_and(|op| op != 0) {
        return Ok(None);
    }
    let text: String = fields.require("Addr")?;
    let mut instance = Instance::new(id).with_address("grpc", common::address(&text, "Addr")?);
    let metadata: Option<Box<RawValue>> = fields.take(METADATA)?;
    if let Some(metadata) = metadata {
        read_metadata(&mut instance, &metadata)?;
    }
    instance.unknown.extend(fields.left(""));
    Ok(Some(instance))
}

fn read_metadata(instance: &mut Instance, value: &RawValue) -> Result<(), Fault> {
    if !value.get().trim_start().starts_with('{') {
        let json = value.get().to_owned();
        instance.unknown.insert(METADATA.to_owned(), json);
        return Ok(());
    }
    let mut texts = Texts::new();
    for (key, json) in Fields::within(METADATA, value)?.left("") {
        match serde_json::from_str(&json) {
            Ok(text) => drop(texts.insert(key, text)),
            // A number; only where we know what it means it may become a text.
            Err(_) if key == common::WEIGHT => drop(texts.insert(key, json)),
            Err(_) => drop(instance.unknown.insert(format!("{INSIDE}{key}"), json)),
        }
    }
    common::read(instance, texts, METADATA)
}

pub(super) fn write(instance: &Instance) -> Result<Vec<u8>, Fault> {
    let texts = common::write(instance, common::LANE, false, false);
    let mut object = BTreeMap::new();
    for (key, text) in &texts {
        let json = serde_json::value::to_raw_value(text).map_err(|error| Fault::invalid(METADATA, error))?;
        object.insert(key.as_str(), json);
    }
    let mut unknown = BTreeMap::new();
    let mut other = None;
    for (field, json) in &instance.unknown {
        let Some(json) = raw(json) else { continue };
        if let Some(key) = field.strip_prefix(INSIDE) {
            object.entry(key).or_insert(json);
        } else if field == METADATA {
            other = Some(Metadata::Other(json));
        } else if !["Op", "Addr"].contains(&field.as_str()) {
            unknown.insert(field.as_str(), json);
        }
    }
    to_json(&Record {
        op: 0,
        address: common::tcp_address(instance, "grpc")?.to_string(),
        // What is no object is kept as long as there is nothing that only an object can say.
        metadata: if object.is_empty() {
            other
        } else {
            Some(Metadata::Object(object))
        },
        unknown,
    })
}
