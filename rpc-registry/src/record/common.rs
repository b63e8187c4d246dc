//! What the forms of other frameworks share: a map of texts in which much has a usual name.
//!
//! | key | is |
//! | --- | --- |
//! | `weight` | [`Instance::weight`]; 100 is not written |
//! | `color`, `lane` | [`Instance::lane`]; both are read, which one is written depends on the form |
//! | `zone` | [`Instance::zone`] |
//! | `version` | [`Instance::version`], in forms that have no field for it |
//! | `rpc.groups`, `rpc.state`, `rpc.started_at_ms` | ours: nobody else has a word for them |

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use rpc_core::{context::Lane, net::Address};

use crate::{Fault, Instance, InstanceState};

pub(super) type Texts = BTreeMap<String, String>;

pub(super) const WEIGHT: &str = "weight";
pub(super) const LANE: &str = "lane";
pub(super) const COLOR: &str = "color";
const ZONE: &str = "zone";
const VERSION: &str = "version";
const GROUPS: &str = "rpc.groups";
const STATE: &str = "rpc.state";
const STARTED: &str = "rpc.started_at_ms";

/// Takes what has a usual name out of the map, and keeps the rest as metadata. `place` is the map's name in the record.
pub(super) fn read(instance: &mut Instance, mut texts: Texts, place: &str) -> Result<(), Fault> {
    let wrong =
        |key: &str, problem: &dyn std::fmt::Display| Fault::invalid(&format!("{place}.{key}"), problem);
    if let Some(weight) = texts.remove(WEIGHT) {
        instance.weight = number(&weight).ok_or_else(|| wrong(WEIGHT, &not_a_number(&weight)))?;
    }
    let color = texts.remove(COLOR);
    let lane = texts.remove(LANE);
    for (key, name) in [(COLOR, color), (LANE, lane)] {
        if let Some(name) = name.filter(|name| !name.is_empty() && instance.lane.is_none()) {
            instance.lane = Some(Lane::new(&name).map_err(|error| wrong(key, &error))?);
        }
    }
    let named = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Into::into);
    instance.zone = named(texts.remove(ZONE));
    if instance.version.is_none() {
        instance.version = named(texts.remove(VERSION));
    }
    if let Some(groups) = texts.remove(GROUPS) {
        instance.groups = groups
            .split(',')
            .filter(|group| !group.is_empty())
            .map(Into::into)
            .collect();
    }
    if let Some(state) = texts.remove(STATE) {
        instance.state = state.parse().map_err(|fault| wrong(STATE, &fault))?;
    }
    if let Some(ms) = texts.remove(STARTED) {
        let started = number(&ms).and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
        instance.started_at = Some(started.ok_or_else(|| wrong(STARTED, &not_a_number(&ms)))?);
    }
    instance.metadata = texts;
    Ok(())
}

/// The map that [`read`] reads. `lane` is the key for the lane; version and weight are in it where the form has no fields
/// for them.
pub(super) fn write(instance: &Instance, lane: &str, has_version: bool, has_weight: bool) -> Texts {
    let mut texts = instance.metadata.clone();
    // What the instance itself says is not said twice, or otherwise.
    for key in [WEIGHT, COLOR, LANE, ZONE, GROUPS, STATE, STARTED] {
        texts.remove(key);
    }
    let mut say = |key: &str, text: String| texts.insert(key.to_owned(), text);
    if !has_weight && instance.weight != Instance::DEFAULT_WEIGHT {
        say(WEIGHT, instance.weight.to_string());
    }
    if let Some(name) = &instance.lane {
        say(lane, name.to_string());
    }
    if let Some(zone) = &instance.zone {
        say(ZONE, zone.to_string());
    }
    if let Some(version) = instance.version.as_ref().filter(|_| !has_version) {
        say(VERSION, version.to_string());
    }
    if !instance.groups.is_empty() {
        say(GROUPS, instance.groups.join(","));
    }
    if instance.state != InstanceState::Up {
        say(STATE, instance.state.to_string());
    }
    if let Some(ms) = instance.started_at_ms() {
        say(STARTED, ms.to_string());
    }
    texts
}

/// The one address that a form with room for one can say: the first over TCP for that protocol, else the first over TCP.
pub(super) fn tcp_address<'a>(instance: &'a Instance, protocol: &str) -> Result<&'a Address, Fault> {
    let is_tcp = |at: &&Address| matches!(at, Address::Socket(_) | Address::Host(..));
    let mut all = instance.addresses.iter().map(|at| &at.address);
    let of_protocol = instance.addresses_for(protocol).find(is_tcp);
    of_protocol.or_else(|| all.find(is_tcp)).ok_or_else(|| {
        Fault::invalid(
            "endpoints",
            "none of them is `host:port`, which this layout wants",
        )
    })
}

/// An address as `host:port`.
pub(super) fn address(text: &str, field: &str) -> Result<Address, Fault> {
    let address: Address = text.parse().map_err(|error| Fault::invalid(field, error))?;
    match &address {
        Address::Socket(socket) if socket.port() == 0 => {}
        Address::Host(_, 0) => {}
        Address::Socket(_) | Address::Host(..) => return Ok(address),
        _ => {
            let shown: String = text.chars().take(64).collect();
            return Err(Fault::invalid(field, format!("`{shown}` is not `host:port`")));
        }
    }
    Err(Fault::invalid(
        field,
        format!("port 0 of `{address}` cannot be called"),
    ))
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

fn not_a_number(text: &str) -> String {
    let shown: String = text.chars().take(32).collect();
    format!("`{shown}` is not a whole number that fits")
}
