//! `rpcctl amend`, `enable`, `disable`, `drain`.

use std::{process::ExitCode, time::Duration};

use rpc::registry::{Fault, FaultKind, Instance, InstanceState, Place, Schemes, Target, Update};
use tokio::time::timeout;

use crate::{
    options::{Etcd, Operate as Options},
    say::{complain, say},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to look what was amended before an instance is enabled. It is enabled in any case.
const LOOK: Duration = Duration::from_secs(2);

/// What is left as it was amended when an instance is enabled.
const AMENDED: [&str; 3] = ["weight", "lane", "groups"];

pub(crate) async fn run(options: Options) -> ExitCode {
    let place = match place(&options.target, &options.etcd) {
        Ok(place) => place,
        Err(error) => {
            complain(error);
            return ExitCode::from(1);
        }
    };
    let id = options.id.as_str().into();
    let left = match options.amendment.state {
        Some(InstanceState::Up) => amended(&options).await,
        _ => Vec::new(),
    };
    let amended = place.registry.amend(&place.name, &id, &options.amendment);
    let amended = timeout(TIMEOUT, amended).await;
    match amended.unwrap_or_else(|_| Err(Fault::transient("the registry did not answer in time"))) {
        Ok(()) => {
            match options.amendment.state {
                Some(state) => say(format_args!("{id} is {state}")),
                None => say(format_args!("amended {id}")),
            }
            if !left.is_empty() {
                let left = left.join(", ");
                say(format_args!(
                    "as amended until its provider puts them back, which takes one of ours: {left}"
                ));
            }
            ExitCode::SUCCESS
        }
        Err(fault) => {
            complain(format_args!("{fault}{}", options.etcd.advice(&fault)));
            ExitCode::from(if fault.kind() == FaultKind::Transient {
                2
            } else {
                3
            })
        }
    }
}

/// Where instances of a target are announced.
pub(crate) fn place(target: &str, etcd: &Etcd) -> Result<Place, rpc::BuildError> {
    let target: Target = target.parse()?;
    schemes(&target, etcd)?.registry(&target)
}

fn schemes(target: &Target, etcd: &Etcd) -> Result<Schemes, rpc::BuildError> {
    Ok(rpc::built_in_schemes().with(etcd.scheme(target)?))
}

/// What operators have changed of an instance beside its state; nothing where that cannot be read.
async fn amended(options: &Options) -> Vec<&'static str> {
    let mark = async {
        let target: Target = options.target.parse().ok()?;
        let resolver = schemes(&target, &options.etcd).ok()?.resolver(&target).ok()?;
        let Update::Snapshot(records) = resolver.watch().next().await.ok()? else {
            return None;
        };
        let mut instances = records.into_iter().flatten();
        let found = instances.find(|instance| instance.id.as_str() == options.id)?;
        found.metadata.get(Instance::OPERATOR).cloned()
    };
    let Ok(Some(mark)) = timeout(LOOK, mark).await else {
        return Vec::new();
    };
    let names = |field: &&str| mark.split(',').any(|named| named == *field);
    let left: Vec<_> = AMENDED.into_iter().filter(names).collect();
    // A mark that names nothing is one of everything.
    if left.is_empty() && !names(&"state") {
        return AMENDED.to_vec();
    }
    left
}
