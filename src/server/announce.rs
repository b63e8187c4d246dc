//! The server in registries.

use std::time::{Duration, SystemTime};

use rpc_core::{net::Address, server::Dispatch};
use rpc_registry::{AnnounceConfig, Announcer, Fault, Instance, InstanceAddress, InstanceHandle, Place};
use tokio::task::JoinSet;

use super::{
    HealthReporter, ServeError,
    advertise::{Advertise, advertised},
};
use crate::{LocalServers, host, local::LocalEntry};

/// So long may the server say `NOT_SERVING` before its records show it.
const HEALTH_GRACE: Duration = Duration::from_secs(3);

/// Where the server shall be found, and as what.
pub(super) struct Announcements {
    pub(super) places: Vec<Place>,
    pub(super) instance: InstanceHandle,
    pub(super) advertise: Option<Advertise>,
    pub(super) local: Vec<LocalServers>,
}

/// A server that is being announced.
pub(super) struct Announced {
    instance: InstanceHandle,
    announcers: JoinSet<Result<(), ServeError>>,
}

impl Announcements {
    /// Fills in what the user did not say of the instance: the addresses, and when it began.
    fn complete(&self, protocols: &[&'static str], listening: &[Address]) {
        let mut addresses = Vec::new();
        if self.instance.instance().addresses.is_empty() {
            // Sockets that all can call come before those of this host.
            let (files, others): (Vec<_>, Vec<_>) =
                listening.iter().partition(|at| matches!(at, Address::Unix(_)));
            for address in others.into_iter().chain(files) {
                let address = advertised(self.advertise.as_ref(), address);
                let spoken = protocols
                    .iter()
                    .map(|protocol| InstanceAddress::new(*protocol, address.clone()));
                addresses.extend(spoken);
            }
            // Several listeners may be advertised as one.
            let mut seen = Vec::new();
            addresses.retain(|at| {
                !seen.contains(at) && {
                    seen.push(at.clone());
                    true
                }
            });
        }
        self.instance.update(|instance| {
            instance.addresses.extend(addresses);
            let has_file = instance
                .addresses
                .iter()
                .any(|at| matches!(at.address, Address::Unix(_)));
            if let Some(host) = host::id().filter(|_| has_file) {
                instance.metadata.entry(Instance::HOST.to_owned()).or_insert(host);
            }
            instance.started_at.get_or_insert_with(SystemTime::now);
        });
    }

    /// Makes the server known to clients of this process, until the entries are dropped.
    pub(super) fn add_locally(&self, dispatch: &Dispatch) -> Vec<LocalEntry> {
        let id = self.instance.instance().id;
        let local = self.local.iter();
        local
            .map(|servers| servers.add(id.clone(), dispatch.clone()))
            .collect()
    }

    /// Begins to announce.
    pub(super) fn begin(self, protocols: &[&'static str], listening: &[Address]) -> Announced {
        if !self.places.is_empty() {
            self.complete(protocols, listening);
        }
        let Self { places, instance, .. } = self;
        let mut announcers = JoinSet::new();
        for place in places {
            let announcer = Announcer::new(place, &instance, AnnounceConfig::default());
            announcers.spawn(async move {
                let name = announcer.name().to_owned();
                announcer.run().await.map_err(|fault| refused(&name, fault))
            });
        }
        Announced { instance, announcers }
    }
}

impl Announced {
    /// Keeps what health says in the records, until a registry says that the instance makes no sense.
    pub(super) async fn keep(&mut self, health: &HealthReporter) -> ServeError {
        let instance = self.instance.clone();
        let heed = async {
            loop {
                health.until(true).await;
                instance.set_healthy(true);
                health.until(false).await;
                tokio::select! {
                    () = tokio::time::sleep(HEALTH_GRACE) => instance.set_healthy(false),
                    () = health.until(true) => {}
                }
            }
        };
        let failed = async {
            loop {
                match self.announcers.join_next().await {
                    Some(Ok(Err(error))) => return error,
                    Some(_) => {}
                    None => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            error = failed => error,
            never = heed => never,
        }
    }

    /// Marks the records as draining and takes them out, in all registries at the same time: one that does not answer
    /// holds up none of the others. Dropping the set gives up what is not done.
    pub(super) fn withdraw(self) -> JoinSet<Result<(), ServeError>> {
        self.instance.withdraw();
        self.announcers
    }
}

fn refused(name: &str, fault: Fault) -> ServeError {
    let text = format!("cannot announce the server as `{name}`: {fault}");
    ServeError::announce(text, Some(fault.into()))
}
