//! `rpcctl amend`, `enable`, `disable`, `drain`.

use std::{process::ExitCode, time::Duration};

use rpc::registry::{Fault, FaultKind, Place, Target};
use tokio::time::timeout;

use crate::options::{Etcd, Operate as Options};

const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: Options) -> ExitCode {
    let place = match place(&options.target, &options.etcd) {
        Ok(place) => place,
        Err(error) => {
            eprintln!("rpcctl: {error}");
            return ExitCode::from(1);
        }
    };
    let id = options.id.as_str().into();
    let amended = place.registry.amend(&place.name, &id, &options.amendment);
    let amended = timeout(TIMEOUT, amended).await;
    match amended.unwrap_or_else(|_| Err(Fault::transient("the registry did not answer in time"))) {
        Ok(()) => {
            match options.amendment.state {
                Some(state) => println!("{id} is {state}"),
                None => println!("amended {id}"),
            }
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("rpcctl: {fault}{}", options.etcd.advice(&fault));
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
    rpc::built_in_schemes()
        .with(etcd.scheme(&target)?)
        .registry(&target)
}
