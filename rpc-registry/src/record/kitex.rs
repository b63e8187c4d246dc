//! Kitex: one key an address.
//!
//! ```json
//! {"network":"tcp","address":"10.0.0.1:8888","weight":10,"tags":{"k":"v"}}
//! ```
//!
//! The key ends with the address, which is all the name that an instance has. One of ours that is called otherwise says so
//! in the tag `rpc.id`. What is spoken at the address is not said: Kitex tells protocols apart by their first bytes.
//!
//! Who says nothing of its weight has 10 there and 100 here: theirs times ten is ours. One of ours that ten does not divide is
//! rounded up, and stands in the tag `rpc.weight` as it is.

use std::collections::BTreeMap;

use rpc_core::net::Address;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    common::{self, Texts},
    fields::{Fields, raw, to_json},
};
use crate::{Fault, Instance};

const ID: &str = "rpc.id";
const EXACT_WEIGHT: &str = "rpc.weight";
/// So much of our weight is 1 of Kitex's, which makes 10 of 0 or less.
const WEIGHT_UNIT: u32 = Instance::DEFAULT_WEIGHT / 10;

#[derive(Serialize)]
struct Record<'a> {
    network: &'a str,
    address: &'a str,
    weight: u32,
    tags: Option<Texts>,
    #[serde(flatten)]
    unknown: BTreeMap<&'a str, Box<RawValue>>,
}

pub(super) fn read(value: &[u8]) -> Result<Instance, Fault> {
    let mut fields = Fields::of_record(value)?;
    let text: String = fields.require("address")?;
    let network: Option<String> = fields.take("network")?;
    let address = match network.as_deref() {
        None | Some("" | "tcp" | "tcp4" | "tcp6") => common::address(&text, "address")?,
        Some("unix") => Address::Unix(std::path::Path::new(&text).into()),
        Some(other) => {
            let shown: String = other.chars().take(32).collect();
            let problem = format!("`{shown}` is not known; accepted are: tcp, tcp4, tcp6, unix");
            return Err(Fault::invalid("network", problem));
        }
    };
    let mut tags: Texts = fields.take("tags")?.unwrap_or_default();
    let id = tags.remove(ID).unwrap_or(text);
    let mut instance = Instance::new(id).with_any_address(address);
    let weight: Option<i64> = fields.take("weight")?;
    let exact = tags.remove(EXACT_WEIGHT).and_then(|text| text.parse().ok());
    common::read(&mut instance, tags, "tags")?;
    instance.weight = match weight.unwrap_or_default() {
        ..=0 => Instance::DEFAULT_WEIGHT,
        weight => match exact {
            // Somebody may have changed the one and not the other: the field is what everybody reads.
            Some(exact) if i64::from(their_weight(exact)) == weight => exact,
            _ => u32::try_from(weight.saturating_mul(WEIGHT_UNIT.into()))
                .map_err(|error| Fault::invalid("weight", error))?,
        },
    };
    instance.unknown = fields.left("").collect();
    Ok(instance)
}

pub(super) fn write(instance: &Instance) -> Result<Vec<u8>, Fault> {
    let address = address_text(instance)?;
    let mut tags = common::write(instance, common::LANE, false, true);
    if instance.id.as_str() != address {
        tags.insert(ID.to_owned(), instance.id.to_string());
    }
    tags.remove(EXACT_WEIGHT);
    let weight = their_weight(instance.weight);
    if weight.checked_mul(WEIGHT_UNIT) != Some(instance.weight) {
        tags.insert(EXACT_WEIGHT.to_owned(), instance.weight.to_string());
    }
    let known = |field: &str| ["network", "address", "weight", "tags"].contains(&field);
    to_json(&Record {
        network: "tcp",
        address: &address,
        weight,
        tags: (!tags.is_empty()).then_some(tags),
        unknown: instance
            .unknown
            .iter()
            .filter(|(field, _)| !known(field))
            .filter_map(|(field, json)| Some((field.as_str(), raw(json)?)))
            .collect(),
    })
}

/// A weight as Kitex would say it: at least 1, as less is its usual one.
fn their_weight(weight: u32) -> u32 {
    weight.div_ceil(WEIGHT_UNIT).max(1)
}

/// The end of the key.
pub(super) fn address_text(instance: &Instance) -> Result<String, Fault> {
    common::tcp_address(instance, "grpc").map(ToString::to_string)
}
