//! The server in registries.

use std::time::{Duration, SystemTime};

use rpc_core::{net::Address, server::Dispatch};
use rpc_registry::{
    AnnounceConfig, AnnounceState, Announcer, Fault, Instance, InstanceAddress, InstanceHandle, Place,
};
use tokio::task::JoinSet;

use super::{
    HealthReporter, ServeError,
    advertise::{Advertise, Advertised, Outward, StandIn, advertised},
    announcements::Teller,
};
use crate::{LocalServers, host, local::LocalEntry};

/// So long may the server say `NOT_SERVING` before its records show it.
const HEALTH_GRACE: Duration = Duration::from_secs(3);

/// How often to look whether a host has an address by now that others can call. Nothing is sent for it.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Where the server shall be found, and as what.
pub(super) struct Plan {
    pub(super) places: Vec<Place>,
    /// Says how it goes, in the order of the places.
    pub(super) teller: Teller,
    pub(super) instance: InstanceHandle,
    /// Other processes look at one of the places.
    pub(super) is_seen_outside: bool,
    pub(super) advertise: Option<Advertise>,
    /// What finds out which address others can call.
    pub(super) outward: Outward,
    /// TLS is spoken at all addresses.
    pub(super) secure: bool,
    pub(super) local: Vec<LocalServers>,
}

/// A server that is being announced.
pub(super) struct Announced {
    pub(super) instance: InstanceHandle,
    pub(super) announcers: JoinSet<Result<(), ServeError>>,
    /// Addresses that are announced for want of better ones.
    pub(super) stand_ins: Vec<StandIn>,
    pub(super) outward: Outward,
}

impl Plan {
    /// Fills in what the user did not say of the instance: the addresses, and when it began. Answers which of them only stand
    /// in.
    fn complete(&self, protocols: &[&'static str], listening: &[Address]) -> Vec<StandIn> {
        let (mut addresses, mut stand_ins) = (Vec::new(), Vec::new());
        if self.instance.instance().addresses.is_empty() {
            // Sockets that all can call come before those of this host.
            let (files, others): (Vec<_>, Vec<_>) =
                listening.iter().partition(|at| matches!(at, Address::Unix(_)));
            for address in others.into_iter().chain(files) {
                let address = match advertised(self.advertise.as_ref(), address, self.outward) {
                    Advertised::Address(address) => address,
                    Advertised::Loopback(address) => {
                        if self.is_seen_outside {
                            tracing::warn!(%address, "announcing an address that only this host can call; `advertise(..)` says another one");
                        }
                        address
                    }
                    Advertised::StandIn(stand_in) => {
                        let address = stand_in.address();
                        tracing::warn!(%address, "this host has no address that others could call; announcing one that only itself can, until it has");
                        stand_ins.push(stand_in);
                        address
                    }
                };
                let spoken = protocols.iter().map(|protocol| match *protocol {
                    // The word that others know. Nobody else speaks framed, and its address is listed here as well.
                    "grpc" if self.secure => "grpcs",
                    protocol => protocol,
                });
                let spoken = spoken.map(|protocol| InstanceAddress::new(protocol, address.clone()));
                addresses.extend(spoken);
            }
            // Several listeners may be advertised as one.
            keep_one_of_each(&mut addresses);
        }
        self.instance.update(|instance| {
            instance.addresses.extend(addresses);
            let has_file = instance
                .addresses
                .iter()
                .any(|at| matches!(at.address, Address::Unix(_)));
            if let Some(host) = host::id().filter(|_| has_file) {
                instance.metadata.entry(Instance::HOST.to_owned()).or_insert(host);
                instance.identify_sockets();
            }
            instance.started_at.get_or_insert_with(SystemTime::now);
        });
        stand_ins
    }

    /// Makes the server known to clients of this process, until the entries are dropped.
    pub(super) fn add_locally(&self, dispatch: &Dispatch) -> Vec<LocalEntry> {
        let local = self.local.iter();
        local
            .map(|servers| servers.add(&self.instance, dispatch.clone()))
            .collect()
    }

    /// Begins to announce.
    pub(super) fn begin(self, protocols: &[&'static str], listening: &[Address]) -> Announced {
        let stand_ins = if self.places.is_empty() {
            Vec::new()
        } else {
            self.complete(protocols, listening)
        };
        let Self {
            places,
            teller,
            instance,
            outward,
            ..
        } = self;
        let mut announcers = JoinSet::new();
        for (index, place) in places.into_iter().enumerate() {
            let announcer = Announcer::new(place, &instance, AnnounceConfig::default());
            announcers.spawn(announce(announcer, index, teller.clone()));
        }
        Announced {
            instance,
            announcers,
            stand_ins,
            outward,
        }
    }
}

impl Announced {
    /// Keeps what health says in the records, and the addresses that others can call, until a registry says that the
    /// instance makes no sense.
    pub(super) async fn keep(&mut self, health: &HealthReporter) -> ServeError {
        let Self {
            instance,
            announcers,
            stand_ins,
            outward,
        } = self;
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
                match announcers.join_next().await {
                    Some(Ok(Err(error))) => return error,
                    // It was withdrawn by its owner.
                    Some(_) => {}
                    None => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            error = failed => error,
            never = heed => never,
            never = relieve(instance, stand_ins, *outward) => never,
        }
    }

    /// Marks the records as draining and takes them out, in all registries at the same time: one that does not answer
    /// holds up none of the others. Dropping the set gives up what is not done.
    pub(super) fn withdraw(self) -> JoinSet<Result<(), ServeError>> {
        self.instance.withdraw();
        self.announcers
    }
}

/// Announces at one place, and says how it goes.
async fn announce(announcer: Announcer, index: usize, teller: Teller) -> Result<(), ServeError> {
    let name = announcer.name().to_owned();
    let told = teller.follow(index, announcer.state());
    let (result, ()) = tokio::join!(announcer.run(), told);
    result.map_err(|fault| {
        teller.tell(index, AnnounceState::Away(fault.clone()));
        refused(&name, fault)
    })
}

/// Announces in the place of each stand-in what others can call, as soon as there is that.
async fn relieve<T>(instance: &InstanceHandle, stand_ins: &mut Vec<StandIn>, outward: Outward) -> T {
    while !stand_ins.is_empty() {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        stand_ins.retain(|stand_in| {
            let Some(address) = stand_in.relief(outward) else {
                return true;
            };
            tracing::info!(%address, "this host has an address that others can call; announcing that");
            instance.update(|instance| {
                let meanwhile = stand_in.address();
                for at in &mut instance.addresses {
                    if at.address == meanwhile {
                        at.address = address.clone();
                    }
                }
                keep_one_of_each(&mut instance.addresses);
            });
            false
        });
    }
    std::future::pending().await
}

fn keep_one_of_each(addresses: &mut Vec<InstanceAddress>) {
    let mut seen = Vec::new();
    addresses.retain(|at| {
        !seen.contains(at) && {
            seen.push(at.clone());
            true
        }
    });
}

fn refused(name: &str, fault: Fault) -> ServeError {
    let text = format!("cannot announce the server as `{name}`: {fault}");
    ServeError::announce(text, Some(fault.into()))
}

#[cfg(test)]
mod tests {
    use std::{
        net::IpAddr,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::SeqCst},
        },
    };

    use super::*;
    use crate::MemoryRegistry;

    static NETWORK_IS_UP: AtomicBool = AtomicBool::new(false);

    fn outward(_: IpAddr) -> Option<IpAddr> {
        NETWORK_IS_UP.load(SeqCst).then(|| IpAddr::from([10, 0, 0, 7]))
    }

    /// It serves before its host has a network, as a service of the system that nothing orders behind that.
    #[tokio::test(start_paused = true)]
    async fn what_stands_in_for_an_address_is_replaced_once_there_is_one() {
        let memory = MemoryRegistry::new();
        let instance = InstanceHandle::new(Instance::new("a"));
        let plan = Plan {
            places: vec![Place::new(Arc::new(memory.clone()), "shop")],
            teller: Teller::new(["shop".into()].into_iter()),
            instance: instance.clone(),
            is_seen_outside: false,
            advertise: None,
            outward,
            secure: false,
            local: Vec::new(),
        };
        let listening: [Address; 3] =
            ["0.0.0.0:80", "[::]:81", "127.0.0.1:82"].map(|text| text.parse().unwrap());
        let mut announced = plan.begin(&["grpc"], &listening);
        let health = HealthReporter::new();
        let told = async || {
            // Whatever is known by now has been announced.
            tokio::time::sleep(2 * BETWEEN_LOOKS).await;
            let instances = memory.instances("shop");
            let addresses = instances.iter().flat_map(|instance| &instance.addresses);
            addresses.map(|at| at.address.to_string()).collect::<Vec<_>>()
        };
        let looks = async {
            assert_eq!(told().await, ["127.0.0.1:80", "[::1]:81", "127.0.0.1:82"]);
            NETWORK_IS_UP.store(true, SeqCst);
            assert_eq!(told().await, ["10.0.0.7:80", "10.0.0.7:81", "127.0.0.1:82"]);
            // What is said from now on stays.
            instance.update(|instance| instance.addresses.truncate(1));
            assert_eq!(told().await, ["10.0.0.7:80"]);
        };
        tokio::select! {
            error = announced.keep(&health) => panic!("{error}"),
            () = looks => {}
        }
    }
}
