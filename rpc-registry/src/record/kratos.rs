//! Kratos: one key an instance, a JSON object.
//!
//! ```json
//! {"id":"i-1","name":"shop","version":"v1","metadata":{"weight":"10"},"endpoints":["grpc://10.0.0.1:9000"]}
//! ```
//!
//! An endpoint is a URL. TLS is another scheme, `grpcs`, or, as older versions wrote it, `?isSecure=true`. A unix socket,
//! for which Kratos has no word, is written as `grpc+unix:///run/shop.sock`, which it passes over. So are here the endpoints
//! that are no such URL, as long as another one is; they are kept among the unknown fields and written again, as the last ones.

use std::borrow::Cow;

use rpc_core::net::Address;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    common::{self, Texts},
    fields::{Fields, raw, to_json},
};
use crate::{Fault, Instance, InstanceAddress};

const UNIX: &str = "+unix";
const ENDPOINTS: &str = "endpoints";

#[derive(Serialize)]
struct Record<'a> {
    id: &'a str,
    name: &'a str,
    version: &'a str,
    metadata: Option<Texts>,
    endpoints: Option<Vec<String>>,
    #[serde(flatten)]
    unknown: std::collections::BTreeMap<&'a str, Box<RawValue>>,
}

/// `None` if the record is of another service.
pub(super) fn read(name: &str, value: &[u8]) -> Result<Option<Instance>, Fault> {
    let mut fields = Fields::of_record(value)?;
    let id: String = fields.require("id")?;
    let of: Option<String> = fields.take("name")?;
    if of.is_some_and(|of| of != name) {
        return Ok(None);
    }
    let mut instance = Instance::new(id);
    let version: Option<String> = fields.take("version")?;
    instance.version = version.filter(|version| !version.is_empty()).map(Into::into);
    let endpoints: Vec<String> = fields.take(ENDPOINTS)?.unwrap_or_default();
    let (mut unread, mut problem) = (Vec::new(), None);
    for (index, endpoint) in endpoints.into_iter().enumerate() {
        match read_endpoint(&endpoint, &format!("{ENDPOINTS}[{index}]")) {
            Ok(address) => instance.addresses.push(address),
            Err(fault) => {
                problem.get_or_insert(fault);
                unread.push(endpoint);
            }
        }
    }
    if let Some(fault) = problem.filter(|_| instance.addresses.is_empty()) {
        return Err(fault);
    }
    common::read(
        &mut instance,
        fields.take("metadata")?.unwrap_or_default(),
        "metadata",
    )?;
    instance.unknown = fields.left("").collect();
    if !unread.is_empty() {
        let json = serde_json::to_string(&unread).map_err(|error| Fault::invalid(ENDPOINTS, error))?;
        instance.unknown.insert(ENDPOINTS.to_owned(), json);
    }
    Ok(Some(instance))
}

pub(super) fn write(name: &str, instance: &Instance) -> Result<Vec<u8>, Fault> {
    let metadata = common::write(instance, common::COLOR, true, false);
    let unread = instance.unknown.get(ENDPOINTS);
    let unread: Option<Vec<String>> = unread.and_then(|json| serde_json::from_str(json).ok());
    let endpoints = instance.addresses.iter().filter_map(write_endpoint);
    let endpoints: Vec<_> = endpoints.chain(unread.into_iter().flatten()).collect();
    let known = |field: &str| ["id", "name", "version", "metadata", ENDPOINTS].contains(&field);
    to_json(&Record {
        id: instance.id.as_str(),
        name,
        version: instance.version.as_deref().unwrap_or_default(),
        // Go's empty map and slice are `null` when nobody made them.
        metadata: (!metadata.is_empty()).then_some(metadata),
        endpoints: (!endpoints.is_empty()).then_some(endpoints),
        unknown: instance
            .unknown
            .iter()
            .filter(|(field, _)| !known(field))
            .filter_map(|(field, json)| Some((field.as_str(), raw(json)?)))
            .collect(),
    })
}

fn read_endpoint(text: &str, field: &str) -> Result<InstanceAddress, Fault> {
    let shown = || text.chars().take(64).collect::<String>();
    let Some((scheme, rest)) = text.split_once("://") else {
        let problem = format!("`{}` is no URL: write `grpc://10.0.0.1:9000`", shown());
        return Err(Fault::invalid(field, problem));
    };
    if let Some(protocol) = scheme.strip_suffix(UNIX) {
        let path = format!("unix:{rest}");
        let path = path.parse().map_err(|error| Fault::invalid(field, error))?;
        return Ok(InstanceAddress::new(protocol_of(protocol, field)?, path));
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let host = rest.split('/').next().unwrap_or_default();
    let address = common::address(host, field)?;
    let mut protocol = protocol_of(scheme, field)?;
    if query
        .split('&')
        .any(|pair| pair.eq_ignore_ascii_case("issecure=true"))
        && !protocol.ends_with('s')
    {
        protocol = Cow::Owned(format!("{protocol}s"));
    }
    Ok(InstanceAddress::new(protocol, address))
}

fn write_endpoint(at: &InstanceAddress) -> Option<String> {
    let protocol = at.protocol.as_deref().unwrap_or("grpc");
    match &at.address {
        Address::Socket(_) | Address::Host(..) => Some(format!("{protocol}://{}", at.address)),
        Address::Unix(path) => Some(format!("{protocol}{UNIX}://{}", path.display())),
        // Of use in this process only.
        _ => None,
    }
}

fn protocol_of(text: &str, field: &str) -> Result<Cow<'static, str>, Fault> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let text = text.to_ascii_lowercase();
    if text.is_empty() || text.len() > 32 || !text.bytes().all(is_word) {
        let problem = "its scheme is no protocol: letters, digits, `-` and `.`";
        return Err(Fault::invalid(field, problem));
    }
    Ok(match text.as_str() {
        "grpc" => Cow::Borrowed("grpc"),
        "http" => Cow::Borrowed("http"),
        "framed" => Cow::Borrowed("framed"),
        _ => Cow::Owned(text),
    })
}
