//! Servers of this process, for clients of this process.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rpc_core::{
    net::Address,
    server::Dispatch,
    transport::{Link, LocalTransport, Transport},
};
use rpc_lb::Near;
use rpc_registry::{Instance, InstanceAddress, InstanceHandle, InstanceId};

/// The servers of this process. Cheap to clone; clones are the same.
///
/// Given to both builders it merges a deployment: a client that finds an instance on its list which is served in this very
/// process calls it directly, without a network and without encoding. Where services are deployed apart, the same code
/// calls them where they are.
///
/// ```
/// use rpc::{Client, LocalServers, MemoryRegistry};
///
/// let (registry, local) = (MemoryRegistry::new(), LocalServers::new());
/// // Server::builder().local_servers(&local).registry(registry.clone()).announce_at("memory:///shop") ...
/// let client = Client::builder().registry(registry).target("memory:///shop").local_servers(&local).build()?;
/// # Ok::<(), rpc::BuildError>(())
/// ```
///
/// An instance on the list is a server that is here if both agree in the id and in one address at least: an id alone may be that
/// of several services. A server that announces itself nowhere, and was not told its addresses, is known by its id alone.
///
/// A server is here while it serves, until its stop is over or it is dropped. Once a client has learned from the registry that
/// the server stops, it calls others; where none of them is ready it goes on calling this one until that stop is over. A stop
/// waits for callers from the network, and not for those in the process: of services that stop together, let the ones that
/// call others stop first.
#[derive(Clone, Default)]
pub struct LocalServers(Arc<Mutex<Servers>>);

#[derive(Default)]
struct Servers {
    /// The latest one last.
    running: Vec<Local>,
    next: u64,
}

struct Local {
    /// What it is called here: another name for each server, also of the same id.
    name: Arc<str>,
    id: InstanceId,
    /// As it is announced by now.
    instance: InstanceHandle,
    dispatch: Dispatch,
    /// It has begun to stop.
    is_leaving: bool,
    /// Links that were given out. They end with the server.
    links: Vec<Weak<dyn Link>>,
}

/// A server's place among [`LocalServers`]: dropping it takes the server out.
pub(crate) struct LocalEntry {
    servers: LocalServers,
    name: Arc<str>,
}

impl LocalServers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a server.
    pub(crate) fn add(&self, instance: &InstanceHandle, dispatch: Dispatch) -> LocalEntry {
        let id = instance.instance().id;
        let name = self.with(|servers| {
            let name: Arc<str> = format!("{id}#{}", servers.next).into();
            servers.next += 1;
            servers.running.push(Local {
                name: Arc::clone(&name),
                id,
                instance: instance.clone(),
                dispatch,
                is_leaving: false,
                links: Vec::new(),
            });
            name
        });
        LocalEntry {
            servers: self.clone(),
            name,
        }
    }

    /// Instances of this process are near.
    pub(crate) fn near(&self, near: Near) -> Near {
        let (here, leaving) = (self.clone(), self.clone());
        near.in_process(move |instance| here.with(|servers| servers.name_of(instance)))
            .leaving(move |name| {
                leaving.with(|servers| servers.get_mut(name).is_some_and(|local| local.is_leaving))
            })
    }

    /// A transport that calls servers of this process directly, and all others through `other`.
    pub(crate) fn transport(&self, other: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(LocalOr {
            servers: self.clone(),
            other,
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut Servers) -> R) -> R {
        // Nothing panics while it is held.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for LocalServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|servers| {
            f.debug_set()
                .entries(servers.running.iter().map(|local| &local.id))
                .finish()
        })
    }
}

impl Servers {
    fn get_mut(&mut self, name: &str) -> Option<&mut Local> {
        self.running.iter_mut().find(|local| *local.name == *name)
    }

    /// The name of the server that an instance is: of several the latest, and one whose addresses are known before others.
    fn name_of(&self, instance: &Instance) -> Option<Arc<str>> {
        let is_listed = |own: &InstanceAddress| instance.addresses.iter().any(|at| at.address == own.address);
        let mut unannounced = None;
        for local in self.running.iter().rev().filter(|local| local.id == instance.id) {
            let addresses = local.instance.instance().addresses;
            if addresses.is_empty() {
                unannounced.get_or_insert(&local.name);
            } else if addresses.iter().any(is_listed) {
                return Some(Arc::clone(&local.name));
            }
        }
        unannounced.cloned()
    }
}

impl LocalEntry {
    /// The server has begun to stop: to be said before the registries are told.
    pub(crate) fn leave(&self) {
        self.servers.with(|servers| {
            if let Some(local) = servers.get_mut(&self.name) {
                local.is_leaving = true;
            }
        });
    }
}

impl Drop for LocalEntry {
    fn drop(&mut self) {
        let ended = self.servers.with(|servers| {
            let mut running = servers.running.iter();
            let at = running.position(|local| local.name == self.name);
            at.map(|at| servers.running.remove(at))
        });
        // Calls go elsewhere from now on, and those under way are finished.
        let links = ended.iter().flat_map(|local| &local.links);
        links.filter_map(Weak::upgrade).for_each(|link| link.close());
    }
}

struct LocalOr {
    servers: LocalServers,
    other: Arc<dyn Transport>,
}

impl LocalOr {
    /// A link to a server of this process, where the address is one's.
    fn local(&self, address: &Address) -> Option<Arc<dyn Link>> {
        let Address::Local(name) = address else {
            return None;
        };
        self.servers.with(|servers| {
            let local = servers.get_mut(name)?;
            let link = LocalTransport::new(local.dispatch.clone()).link(address);
            local.links.retain(|link| link.strong_count() > 0);
            local.links.push(Arc::downgrade(&link));
            Some(link)
        })
    }
}

impl Transport for LocalOr {
    fn protocol(&self) -> &'static str {
        self.other.protocol()
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        self.local(address).unwrap_or_else(|| self.other.link(address))
    }

    fn protocols(&self) -> &[&'static str] {
        self.other.protocols()
    }

    fn is_secure(&self) -> Option<bool> {
        self.other.is_secure()
    }

    fn link_by(&self, protocol: &str, address: &Address) -> Arc<dyn Link> {
        self.local(address)
            .unwrap_or_else(|| self.other.link_by(protocol, address))
    }
}
