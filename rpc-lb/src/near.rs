//! Providers next door: in this process, or on this host.
//!
//! Services that are deployed together need not call each other through a network: one in the same process is called
//! directly, one on the same host through its unix socket, if its record names one that is there. Which address of an instance is used is
//! decided when it comes on the list. Among the endpoints that can be called now, the nearest get all calls; the others take
//! over as soon as no nearer one is ready and well, or none has a weight.

use std::{fmt, sync::Arc};

use rpc_core::net::Address;
use rpc_registry::Instance;

type Names = Arc<dyn Fn(&Instance) -> Option<Arc<str>> + Send + Sync>;
type Says = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which nearness counts. Default: none, all endpoints are alike.
#[derive(Clone, Default)]
pub struct Near {
    process: Option<Names>,
    leaving: Option<Says>,
    host: Option<Arc<str>>,
}

impl Near {
    /// The distance of those that are not near.
    pub(crate) const FAR: u8 = 2;

    /// None counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Instances that `name_of` has a name for are in this process, and called at `local:` and that name. An instance that is
    /// another server than before has another name.
    pub fn in_process(
        mut self,
        name_of: impl Fn(&Instance) -> Option<Arc<str>> + Send + Sync + 'static,
    ) -> Self {
        self.process = Some(Arc::new(name_of));
        self
    }

    /// Those of them of whose name `is_leaving` says that they stop go on being called while no other endpoint is ready, also
    /// when they are draining or gone from the list: until their links are closed. Services that stop together need each other.
    pub fn leaving(mut self, is_leaving: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.leaving = Some(Arc::new(is_leaving));
        self
    }

    /// Instances on this host are called through their unix sockets. `host` is what their records say of it, under
    /// [`Instance::HOST`]. Of the same path only the file counts that the record names, under [`Instance::SOCKETS`]: another
    /// container of the host has another one there, or none. A record that names no file has no such socket.
    pub fn on_host(mut self, host: impl Into<Arc<str>>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// True if what is called there is in this process and stops, and answers still.
    pub(crate) fn is_leaving(&self, address: &Address) -> bool {
        let Address::Local(name) = address else {
            return false;
        };
        self.leaving.as_ref().is_some_and(|is_leaving| is_leaving(name))
    }

    /// Where an instance is called that is in this process.
    pub(crate) fn local(&self, instance: &Instance) -> Option<Address> {
        let name = self.process.as_ref().and_then(|name_of| name_of(instance));
        name.map(Address::Local)
    }

    /// Where an instance is called that is not, at one of its usable addresses.
    pub(crate) fn address(
        &self,
        instance: &Instance,
        protocol: &str,
        is_usable: impl Fn(&Address) -> bool,
    ) -> Option<Address> {
        let all = || instance.addresses_for(protocol).filter(|at| is_usable(at));
        let is_socket = |at: &&Address| matches!(at, Address::Unix(_));
        let Some(host) = instance.metadata.get(Instance::HOST) else {
            return all().next().cloned();
        };
        let is_here = self.host.as_deref() == Some(host);
        if is_here {
            let is_own = |at: &&Address| matches!(at, Address::Unix(path) if instance.owns_socket(path));
            if let Some(socket) = all().find(is_own) {
                return Some(socket.clone());
            }
        }
        let other = all().find(|at| !is_socket(at));
        // A socket of who knows which host is the last resort, and one that is known to be somebody else's is none.
        let is_anothers = is_here && instance.metadata.contains_key(Instance::SOCKETS);
        let last = || all().next().filter(|_| !is_anothers);
        other.or_else(last).cloned()
    }

    /// The smaller, the nearer.
    pub(crate) fn distance(&self, address: &Address) -> u8 {
        match address {
            Address::Local(_) if self.process.is_some() => 0,
            Address::Unix(_) if self.host.is_some() => 1,
            _ => Self::FAR,
        }
    }
}

impl fmt::Debug for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near")
            .field("process", &self.process.is_some())
            .field("leaving", &self.leaving.is_some())
            .field("host", &self.host)
            .finish()
    }
}
