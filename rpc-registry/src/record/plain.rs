//! Our own form of an instance, for files and the cache on disk.
//!
//! ```json
//! { "id": "shop-1", "endpoints": ["grpc://10.0.0.1:50051"], "weight": 100, "lane": "red", "groups": ["vip"], "zone": "a",
//!   "version": "v1", "metadata": {"k": "v"}, "started_at_ms": 1750000000000, "state": "up" }
//! ```
//!
//! `id` and `endpoints` are required. A field that is not known is refused by name: in a file that people write it is a
//! slip of the pen.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use rpc_core::context::Lane;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{BadRecord, Fault, Instance, InstanceAddress, Record};

/// An instance in our own form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    id: String,
    endpoints: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lane: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// What a record of another form said beside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    unknown: BTreeMap<String, String>,
}

/// Reads a record out of whatever holds it; `place` is what it is called when it has no id that can be read.
pub fn read<'de, D: Deserializer<'de>>(from: D, place: &str) -> Record {
    let plain: Plain = serde_path_to_error::deserialize(from).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "record" } else { &path };
        BadRecord::new(place, Fault::invalid(field, error.inner()))
    })?;
    let id = plain.id.clone();
    plain.into_instance().map_err(|fault| BadRecord::new(id, fault))
}

impl Plain {
    fn into_instance(self) -> Result<Instance, Fault> {
        let mut instance = Instance::new(self.id);
        for endpoint in &self.endpoints {
            instance.addresses.push(endpoint.parse::<InstanceAddress>()?);
        }
        instance.weight = self.weight.unwrap_or(instance.weight);
        if let Some(lane) = self.lane {
            instance.lane = Some(Lane::new(&lane).map_err(|error| Fault::invalid("lane", error))?);
        }
        instance.groups = self.groups.into_iter().map(Into::into).collect();
        instance.zone = self.zone.map(Into::into);
        instance.version = self.version.map(Into::into);
        instance.metadata = self.metadata;
        instance.started_at = self
            .started_at_ms
            .and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
        if let Some(state) = self.state {
            instance.state = state.parse()?;
        }
        instance.unknown = self.unknown;
        instance.check()?;
        Ok(instance)
    }
}

impl From<&Instance> for Plain {
    fn from(instance: &Instance) -> Self {
        Self {
            id: instance.id.to_string(),
            endpoints: instance.addresses.iter().map(ToString::to_string).collect(),
            weight: Some(instance.weight),
            lane: instance.lane.as_ref().map(ToString::to_string),
            groups: instance.groups.iter().map(ToString::to_string).collect(),
            zone: instance.zone.as_deref().map(ToOwned::to_owned),
            version: instance.version.as_deref().map(ToOwned::to_owned),
            metadata: instance.metadata.clone(),
            started_at_ms: instance.started_at_ms(),
            state: Some(instance.state.to_string()),
            unknown: instance.unknown.clone(),
        }
    }
}
