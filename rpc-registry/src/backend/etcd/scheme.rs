//! `etcd://h1:2379,h2:2379/shop?layout=kratos&ns=/microservices`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rpc_core::{BuildError, net::Address};
use rpc_etcd::{Etcd, EtcdConfig, Password};

use super::EtcdRegistry;
use crate::{Filter, Place, Resolver, Scheme, Target, record::Layout};

const PORT: u16 = 2379;

/// Targets in etcd: `etcd://h1:2379,h2:2379/shop`.
///
/// | part | meaning | default |
/// | --- | --- | --- |
/// | authority | members of the cluster; several are separated by commas | what [`with_endpoints`](Self::with_endpoints) says; port 2379 |
/// | path | the service's name | – |
/// | `layout` | `kratos`, `go-zero`, `grpc`, `go-micro`, `kitex` | `kratos` |
/// | `ns` | what stands before the name in a key | the layout's own |
/// | `ttl` | how long an instance that is not renewed stays, in seconds; for who announces | 15 |
///
/// Credentials and TLS are said here, to the scheme, as targets are logged. Targets with the same members share one client, with its
/// connection and its token, also those of clones: give clones of one scheme to the clients and servers
/// of a process that share a runtime. The runtime in which it is needed first drives the connection: what has a runtime of its own, and one
/// that is not driven all the time, gets a scheme of its own.
///
/// ```
/// use rpc_registry::{EtcdScheme, Schemes};
///
/// let schemes = Schemes::new().with(EtcdScheme::new().with_user("shop", "secret"));
/// let target = "etcd://10.0.0.1:2379,10.0.0.2:2379/shop?layout=go-micro".parse()?;
/// schemes.resolver(&target)?;
/// # Ok::<(), rpc_core::BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct EtcdScheme {
    endpoints: Vec<Address>,
    user: Option<(String, Password)>,
    #[cfg(feature = "tls")]
    tls: Option<rpc_core::net::tls::ClientTls>,
    /// One a set of members, all with these credentials and TLS.
    clients: Arc<Mutex<Vec<Etcd>>>,
}

impl EtcdScheme {
    /// Without credentials and TLS.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the members for targets that name none: `etcd:///shop`.
    pub fn with_endpoints(mut self, endpoints: impl IntoIterator<Item = Address>) -> Self {
        self.endpoints = endpoints.into_iter().collect();
        self
    }

    /// Logs in with a name and a password.
    pub fn with_user(mut self, name: impl Into<String>, password: impl Into<Password>) -> Self {
        self.user = Some((name.into(), password.into()));
        self.clients = Arc::default();
        self
    }

    /// Speaks TLS with the members.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: rpc_core::net::tls::ClientTls) -> Self {
        self.tls = Some(tls);
        self.clients = Arc::default();
        self
    }

    fn etcd(&self, target: &Target) -> Result<Etcd, BuildError> {
        let mut endpoints = Vec::new();
        for host in target.hosts() {
            let address = address(host).map_err(|problem| target.error(problem))?;
            if !endpoints.contains(&address) {
                endpoints.push(address);
            }
        }
        if endpoints.is_empty() {
            endpoints.clone_from(&self.endpoints);
        }
        if endpoints.is_empty() {
            return Err(target.error("names no member of etcd: write `etcd://10.0.0.1:2379/shop`"));
        }
        // Held for a moment, when a client or a server is built.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.iter().find(|etcd| etcd.config().endpoints == endpoints) {
            return Ok(known.clone());
        }
        let mut config = EtcdConfig::new(endpoints);
        config.user.clone_from(&self.user);
        #[cfg(feature = "tls")]
        config.tls.clone_from(&self.tls);
        let etcd = Etcd::new(config)?;
        clients.push(etcd.clone());
        Ok(etcd)
    }

    fn read(&self, target: &Target) -> Result<EtcdRegistry, BuildError> {
        let [group, protocol, version] = Filter::OPTIONS;
        target.only_options(&["layout", "ns", "ttl", group, protocol, version])?;
        if target.name().is_empty() {
            return Err(target.error("no name: write `etcd://10.0.0.1:2379/shop`"));
        }
        let mut registry = EtcdRegistry::new(self.etcd(target)?);
        if let Some(layout) = target.option("layout") {
            let layout: Layout = layout.parse().map_err(|fault| target.error(fault))?;
            registry = registry.with_layout(layout);
        }
        if let Some(namespace) = target.option("ns") {
            registry = registry.with_namespace(namespace);
        }
        if let Some(ttl) = target.option("ttl") {
            let seconds = ttl.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
            let wrong = || target.error(format!("option `ttl`: `{ttl}` is not 1 to 86400 seconds"));
            registry = registry.with_ttl(Duration::from_secs(seconds.ok_or_else(wrong)?));
        }
        Ok(registry)
    }
}

impl Scheme for EtcdScheme {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        let resolver = self.read(target)?.resolver_of(target.name());
        Ok(Arc::new(resolver.map_err(|fault| target.error(fault))?))
    }

    fn registry(&self, target: &Target) -> Result<Place, BuildError> {
        let registry = self.read(target)?;
        registry
            .resolver_of(target.name())
            .map_err(|fault| target.error(fault))?;
        Ok(Place::new(Arc::new(registry), target.name()))
    }
}

impl fmt::Debug for EtcdScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdScheme")
            .field("endpoints", &self.endpoints)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// `host` alone has etcd's own port.
fn address(host: &str) -> Result<Address, rpc_core::net::InvalidAddress> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(before, _)| !before.contains(':') || before.ends_with(']'));
    if has_port {
        host.parse()
    } else {
        format!("{host}:{PORT}").parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_a_client_unless_they_log_in_otherwise() {
        let target: Target = "etcd://h:2379/shop".parse().expect("a target");
        let user = |scheme: &EtcdScheme| {
            let etcd = scheme.etcd(&target).expect("the target names a member");
            etcd.config().user.clone().map(|(name, _)| name)
        };
        let clients = |scheme: &EtcdScheme| scheme.clients.lock().expect("nobody panicked").len();
        let scheme = EtcdScheme::new();
        assert_eq!(user(&scheme.clone()), None);
        assert_eq!(user(&scheme), None);
        assert_eq!(clients(&scheme), 1);
        let other = scheme.clone().with_user("shop", "secret");
        assert_eq!(user(&other.clone()).as_deref(), Some("shop"));
        assert_eq!(user(&other).as_deref(), Some("shop"));
        assert_eq!((clients(&scheme), clients(&other)), (1, 1));
    }
}
