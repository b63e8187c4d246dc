//! The commands about instances.

use std::time::Duration;

use rpc::registry::{Instance, InstanceAddress, InstanceState};

use super::{Etcd, Tls, exactly, number, value};
use crate::probe::Probe;

/// `rpcctl instances`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Instances {
    pub(crate) target: String,
    pub(crate) watch: bool,
    pub(crate) json: bool,
    pub(crate) timeout: Duration,
    pub(crate) etcd: Etcd,
}

/// `rpcctl register`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Register {
    pub(crate) target: String,
    pub(crate) instance: Instance,
    pub(crate) probe: Option<Probe>,
    pub(crate) interval: Duration,
    pub(crate) tls: Tls,
    pub(crate) etcd: Etcd,
}

/// `rpcctl enable`, `disable`, `drain`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operate {
    pub(crate) target: String,
    pub(crate) id: String,
    pub(crate) state: InstanceState,
    pub(crate) etcd: Etcd,
}

impl Instances {
    pub(super) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut names, mut watch, mut json, mut timeout_ms) = (Vec::new(), false, false, 5000);
        let mut etcd = Etcd::new();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--watch" => watch = true,
                "--json" => json = true,
                "--timeout-ms" => timeout_ms = number("--timeout-ms", 1..=3_600_000, &mut arguments)?,
                option if etcd.take(option, &mut arguments)? => {}
                option if option.starts_with('-') => return Err(format!("`{option}` is not an option")),
                _ => names.push(argument),
            }
        }
        let [target] = exactly(names, ["which target?"])?;
        Ok(Self {
            target,
            watch,
            json,
            timeout: Duration::from_millis(timeout_ms),
            etcd,
        })
    }
}

impl Register {
    pub(super) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut instance = Instance::new("");
        let (mut names, mut id, mut probe, mut interval_ms) = (Vec::new(), None, None, 2000);
        let (mut tls, mut etcd) = (Tls::new("--tls-"), Etcd::new());
        while let Some(argument) = arguments.next() {
            let option = argument.as_str();
            match option {
                "--address" => {
                    let text = value(option, &mut arguments)?;
                    let mut address: InstanceAddress =
                        text.parse().map_err(|error| format!("`{option}`: {error}"))?;
                    address.protocol.get_or_insert("grpc".into());
                    instance.addresses.push(address);
                }
                "--health" => probe = Some(Probe::parse(&value(option, &mut arguments)?)?),
                "--interval-ms" => interval_ms = number(option, 10..=3_600_000, &mut arguments)?,
                "--id" => id = Some(value(option, &mut arguments)?),
                "--weight" => instance.weight = number(option, 0..=1_000_000, &mut arguments)? as u32,
                "--lane" => {
                    let lane = rpc::context::Lane::new(&value(option, &mut arguments)?);
                    instance.lane = Some(lane.map_err(|error| format!("`{option}`: {error}"))?);
                }
                "--zone" => instance.zone = Some(value(option, &mut arguments)?.into()),
                "--version" => instance.version = Some(value(option, &mut arguments)?.into()),
                "--group" => instance.groups.push(value(option, &mut arguments)?.into()),
                "--disabled" => instance.state = InstanceState::Disabled,
                _ if tls.take(option, &mut arguments)? || etcd.take(option, &mut arguments)? => {}
                _ if option.starts_with('-') => return Err(format!("`{option}` is not an option")),
                _ => names.push(argument),
            }
        }
        let [target] = exactly(names, ["which target?"])?;
        let first = instance
            .addresses
            .first()
            .ok_or("`--address` is missing: where is it called?")?;
        // The same service is the same instance, also after a restart of this program.
        instance.id = id.unwrap_or_else(|| first.address.to_string()).into();
        instance.check().map_err(|fault| fault.to_string())?;
        if let Some(option) = tls.given()
            && !matches!(probe, Some(Probe::Grpc { .. }))
        {
            return Err(format!("`{option}` is for a `--health` that asks over gRPC"));
        }
        Ok(Self {
            target,
            instance,
            probe,
            interval: Duration::from_millis(interval_ms),
            tls,
            etcd,
        })
    }
}

impl Operate {
    pub(super) fn parse(state: &str, mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut names, mut etcd) = (Vec::new(), Etcd::new());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                option if etcd.take(option, &mut arguments)? => {}
                option if option.starts_with('-') => return Err(format!("`{option}` is not an option")),
                _ => names.push(argument),
            }
        }
        let [target, id] = exactly(names, ["which target?", "which instance? Give its id"])?;
        let state = match state {
            "enable" => InstanceState::Up,
            "disable" => InstanceState::Disabled,
            _ => InstanceState::Draining,
        };
        Ok(Self {
            target,
            id,
            state,
            etcd,
        })
    }
}
