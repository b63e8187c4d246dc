//! Servers of this process, for clients of this process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rpc_core::{
    net::Address,
    server::Dispatch,
    transport::{Link, LocalTransport, Transport},
};
use rpc_lb::Near;
use rpc_registry::InstanceId;

/// The servers of this process, by the id of their instance. Cheap to clone; clones are the same.
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
/// A server is here while it serves, until its stop is over or it is dropped. Once a client has learned from the registry that
/// the server stops, it calls others; where none of them is ready it goes on calling this one until that stop is over. A stop
/// waits for callers from the network, and not for those in the process: of services that stop together, let the ones that
/// call others stop first.
#[derive(Clone, Default)]
pub struct LocalServers(Arc<Mutex<Servers>>);

#[derive(Default)]
struct Servers {
    by_id: HashMap<InstanceId, Local>,
    next: u64,
}

struct Local {
    /// Another one for each server, also of the same id.
    number: u64,
    dispatch: Dispatch,
    /// It has begun to stop.
    is_leaving: bool,
    /// Links that were given out. They end with the server.
    links: Vec<Weak<dyn Link>>,
}

/// A server's place among [`LocalServers`]: dropping it takes the server out.
pub(crate) struct LocalEntry {
    servers: LocalServers,
    id: InstanceId,
    number: u64,
}

impl LocalServers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a server, in place of an earlier one of the same id.
    pub(crate) fn add(&self, id: InstanceId, dispatch: Dispatch) -> LocalEntry {
        let (number, replaced) = self.with(|servers| {
            let number = servers.next;
            servers.next += 1;
            let local = Local {
                number,
                dispatch,
                is_leaving: false,
                links: Vec::new(),
            };
            (number, servers.by_id.insert(id.clone(), local))
        });
        replaced.iter().for_each(Local::close);
        LocalEntry {
            servers: self.clone(),
            id,
            number,
        }
    }

    /// Instances of this process are near.
    pub(crate) fn near(&self, near: Near) -> Near {
        let (here, leaving) = (self.clone(), self.clone());
        near.in_process(move |id| here.with(|servers| servers.by_id.contains_key(id)))
            .leaving(move |id| {
                leaving.with(|servers| servers.by_id.get(id).is_some_and(|local| local.is_leaving))
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
        self.with(|servers| f.debug_set().entries(servers.by_id.keys()).finish())
    }
}

impl Local {
    /// Calls go elsewhere from now on, and those under way are finished.
    fn close(&self) {
        for link in self.links.iter().filter_map(Weak::upgrade) {
            link.close();
        }
    }
}

impl LocalEntry {
    /// The server has begun to stop: to be said before the registries are told.
    pub(crate) fn leave(&self) {
        self.servers.with(|servers| {
            if let Some(local) = servers.by_id.get_mut(&self.id)
                && local.number == self.number
            {
                local.is_leaving = true;
            }
        });
    }
}

impl Drop for LocalEntry {
    fn drop(&mut self) {
        let removed = self.servers.with(|servers| {
            let is_ours = servers
                .by_id
                .get(&self.id)
                .is_some_and(|local| local.number == self.number);
            is_ours.then(|| servers.by_id.remove(&self.id)).flatten()
        });
        removed.iter().for_each(Local::close);
    }
}

struct LocalOr {
    servers: LocalServers,
    other: Arc<dyn Transport>,
}

impl LocalOr {
    /// A link to a server of this process, where the address is one's.
    fn local(&self, address: &Address) -> Option<Arc<dyn Link>> {
        let Address::Local(id) = address else { return None };
        self.servers.with(|servers| {
            let local = servers.by_id.get_mut(&**id)?;
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

    fn link_by(&self, protocol: &str, address: &Address) -> Arc<dyn Link> {
        self.local(address)
            .unwrap_or_else(|| self.other.link_by(protocol, address))
    }
}
