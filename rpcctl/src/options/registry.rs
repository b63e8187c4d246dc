//! The commands about instances.

use std::time::Duration;

use rpc::{
    context::Lane,
    registry::{Amendment, Instance, InstanceAddress, InstanceState},
};

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

/// `rpcctl amend`, `enable`, `disable`, `drain`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operate {
    pub(crate) target: String,
    pub(crate) id: String,
    pub(crate) amendment: Amendment,
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
                "--weight" => instance.weight = weight(option, &mut arguments)?,
                "--lane" => instance.lane = Some(lane(option, &mut arguments)?),
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
        instance.check_written().map_err(|fault| fault.to_string())?;
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
    pub(super) fn parse(command: &str, mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut names, mut etcd) = (Vec::new(), Etcd::new());
        let mut amendment = Amendment::new();
        amendment.state = match command {
            "enable" => Some(InstanceState::Up),
            "disable" => Some(InstanceState::Disabled),
            "drain" => Some(InstanceState::Draining),
            _ => None,
        };
        let amends = amendment.state.is_none();
        while let Some(argument) = arguments.next() {
            let option = argument.as_str();
            match option {
                "--weight" if amends => amendment.weight = Some(weight(option, &mut arguments)?),
                "--lane" | "--no-lane" if amends => {
                    let lane = match option {
                        "--lane" => Some(lane(option, &mut arguments)?),
                        _ => None,
                    };
                    if amendment.lane.replace(lane).is_some() {
                        return Err("one of `--lane` and `--no-lane` is wanted, and once".to_owned());
                    }
                }
                "--group" if amends => {
                    let groups = amendment.groups.get_or_insert_default();
                    groups.push(value(option, &mut arguments)?.into());
                }
                _ if etcd.take(option, &mut arguments)? => {}
                _ if option.starts_with('-') => return Err(format!("`{option}` is not an option")),
                _ => names.push(argument),
            }
        }
        let [target, id] = exactly(names, ["which target?", "which instance? Give its id"])?;
        if amendment.is_empty() {
            return Err("what is to change? `--weight`, `--lane`, `--no-lane` or `--group`".to_owned());
        }
        let mut amended = Instance::new(id.as_str());
        amendment.apply(&mut amended);
        amended.check_written().map_err(|fault| fault.to_string())?;
        Ok(Self {
            target,
            id,
            amendment,
            etcd,
        })
    }
}

fn weight(option: &str, arguments: &mut impl Iterator<Item = String>) -> Result<u32, String> {
    Ok(number(option, 0..=1_000_000, arguments)? as u32)
}

fn lane(option: &str, arguments: &mut impl Iterator<Item = String>) -> Result<Lane, String> {
    Lane::new(&value(option, arguments)?).map_err(|error| format!("`{option}`: {error}"))
}
