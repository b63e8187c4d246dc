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
#[derive(Clone, Default)]
pub struct LocalServers(Arc<Mutex<HashMap<InstanceId, Local>>>);

struct Local {
    dispatch: Dispatch,
    /// Links that were given out. They end with the server.
    links: Vec<Weak<dyn Link>>,
}

impl LocalServers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a server.
    pub(crate) fn add(&self, id: InstanceId, dispatch: Dispatch) {
        let links = Vec::new();
        self.with(|servers| servers.insert(id, Local { dispatch, links }));
    }

    /// Takes a server out: calls go elsewhere from now on, and those under way are finished.
    pub(crate) fn remove(&self, id: &InstanceId) {
        let removed = self.with(|servers| servers.remove(id));
        for link in removed.iter().flat_map(|local| &local.links) {
            if let Some(link) = link.upgrade() {
                link.close();
            }
        }
    }

    /// Instances of this process are near.
    pub(crate) fn near(&self, near: Near) -> Near {
        let servers = self.clone();
        near.in_process(move |id| servers.with(|servers| servers.contains_key(id)))
    }

    /// A transport that calls servers of this process directly, and all others through `other`.
    pub(crate) fn transport(&self, other: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(LocalOr {
            servers: self.clone(),
            other,
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut HashMap<InstanceId, Local>) -> R) -> R {
        // Nothing panics while it is held.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for LocalServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|servers| f.debug_set().entries(servers.keys()).finish())
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
            let local = servers.get_mut(&**id)?;
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
