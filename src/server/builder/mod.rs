//! Everything that can be said of a server before it is one.

mod build;

use std::{any::Any, fmt, sync::Arc, time::Duration};

use rpc_core::{
    BoxError, OwnedCall, Reply,
    net::{ListenConfig, SocketOptions},
    server::Service,
    stage::{CallService, Hook, UserLayer},
    transport::ServerTransport,
};
use rpc_governance::{lane::LaneHook, server::load::LoadReporter};
use rpc_registry::{Instance, MemoryRegistry, Place, Registry, Scheme, Schemes};
use tower_layer::Layer;

use super::HealthReporter;
use crate::{LocalServers, schemes};

/// Makes a [`Server`](super::Server). Mistakes are found by [`build`](Self::build), which names the method that was called wrongly.
#[must_use = "nothing is made before `build`"]
pub struct ServerBuilder {
    services: Vec<Arc<dyn Service>>,
    lanes: LaneHook,
    hooks: Vec<Box<dyn Hook>>,
    layers: Vec<UserLayer>,
    transports: Vec<Arc<dyn ServerTransport>>,
    #[cfg(feature = "grpc")]
    pub(super) grpc: super::grpc::Grpc,
    #[cfg(feature = "framed")]
    pub(super) framed: super::framed::Framed,
    listen: ListenConfig,
    notice: Option<Duration>,
    shutdown_grace: Option<Duration>,
    stream_grace: Option<Duration>,
    health: Option<HealthReporter>,
    without_health: bool,
    load: Option<LoadReporter>,
    places: Vec<Place>,
    /// So many of them are embedded registries: no other process looks there.
    embedded: usize,
    targets: Vec<String>,
    schemes: Schemes,
    instance: Option<Instance>,
    disabled: bool,
    advertise: Option<String>,
    local: Vec<LocalServers>,
    signals: bool,
}

/// What is served.
impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            services: Vec::new(),
            lanes: LaneHook::inbound(),
            hooks: Vec::new(),
            layers: Vec::new(),
            transports: Vec::new(),
            #[cfg(feature = "grpc")]
            grpc: super::grpc::Grpc::default(),
            #[cfg(feature = "framed")]
            framed: super::framed::Framed::default(),
            listen: ListenConfig::default(),
            notice: None,
            shutdown_grace: None,
            stream_grace: None,
            health: None,
            without_health: false,
            load: None,
            places: Vec::new(),
            embedded: 0,
            targets: Vec::new(),
            schemes: schemes::built_in_schemes(),
            instance: None,
            disabled: false,
            advertise: None,
            local: Vec::new(),
            signals: true,
        }
    }

    /// Adds a service: `InventoryServer::new(inventory)`.
    pub fn add_service(self, service: impl Service) -> Self {
        self.add_shared_service(Arc::new(service))
    }

    /// Adds a service that is shared with others, or chosen at run time.
    pub fn add_shared_service(mut self, service: Arc<dyn Service>) -> Self {
        self.services.push(service);
        self
    }

    /// Which lanes are taken from callers, and which calls get a lane by rule: before anything else sees the call. Default: all,
    /// and none. A hook for calls that go out is refused at [`build`](Self::build).
    ///
    /// ```
    /// use rpc::lanes::{AcceptedLanes, LaneHook};
    ///
    /// let at_the_edge = LaneHook::inbound().with_accepted(AcceptedLanes::None);
    /// let server = rpc::Server::builder().lanes(at_the_edge);
    /// ```
    pub fn lanes(mut self, lanes: LaneHook) -> Self {
        self.lanes = lanes;
        self
    }

    /// Puts a hook around every call, outside of the layers. The first one added is the outermost. Where nothing has to be
    /// waited for, a hook is the cheaper layer: it costs a call no allocation.
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Puts a layer around every call, whatever transport it came over, health and unknown methods included. The layer
    /// that was added first is the outermost.
    ///
    /// Any `tower::Layer` fits whose service takes an [`OwnedCall`], answers with a [`Reply`], and can be cloned. Without
    /// one, calls pay nothing for this.
    ///
    /// A caller in this process hands its message over as it is. Of a method that no service here has, layers get it encoded, as
    /// from the network, so that the call can go to another instance once the server has refused it. A request stream is handed
    /// over, and such a call fails then.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<CallService> + Send + Sync + 'static,
        L::Service: tower_service::Service<OwnedCall, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<OwnedCall>>::Error: Into<BoxError> + 'static,
        <L::Service as tower_service::Service<OwnedCall>>::Future: Send + 'static,
    {
        self.layers.push(UserLayer::new(layer));
        self
    }

    /// Adds a transport beside the built-in ones; it is asked before them whether a connection is its.
    pub fn transport(mut self, transport: impl ServerTransport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// Uses this reporter for health, so that it can be handed out before the server is made; a new one for each server.
    /// Default: an own one, which [`Server::health`](super::Server::health) gives.
    ///
    /// The health service needs the feature `prost`. Without it a reporter counts in registries alone, and is refused by
    /// [`build`](Self::build) where there is none.
    pub fn health(mut self, reporter: HealthReporter) -> Self {
        self.health = Some(reporter);
        self
    }

    /// Leaves the health service out. What the server's [reporter](super::Server::health) says of the server as a whole counts in
    /// registries all the same.
    pub fn without_health(mut self) -> Self {
        self.without_health = true;
        self
    }

    /// Says in each answer how busy the server is, as balancers weigh endpoints by it: see
    /// [`load`](rpc_governance::server::load). Default: nothing is measured and nothing said.
    ///
    /// Reports begin when the server serves. With the feature `prost` they are streamed too, to who asks for
    /// `xds.service.orca.v3.OpenRcaService/StreamCoreMetrics`.
    ///
    /// ```no_run
    /// # async fn doc(inventory: impl rpc::server::Service) -> Result<(), Box<dyn std::error::Error>> {
    /// use rpc::{Server, server::LoadReporter};
    ///
    /// let load = LoadReporter::new();
    /// // Kept by handlers, which know what the machine does not.
    /// load.set_utilization("gpu", 0.7)?;
    /// let server = Server::builder().add_service(inventory).report_load(load).build()?;
    /// # server.serve("0.0.0.0:50051").await?;
    /// # Ok(()) }
    /// ```
    pub fn report_load(mut self, reporter: LoadReporter) -> Self {
        self.load = Some(reporter);
        self
    }
}

/// Connections.
impl ServerBuilder {
    /// Speaks TLS, and nothing else, on all addresses.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: rpc_core::net::tls::ServerTls) -> Self {
        self.listen.tls = Some(tls);
        self
    }

    /// Sets how many connections there may be at once. Default: 65,536. Further ones are closed at once. A client of ours has one,
    /// or over gRPC up to four while it calls thousands of times a second.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.listen.max_connections = connections;
        self
    }

    /// Sets how long a connection may take until it is clear what it speaks, TLS included. Default: 10 s.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.listen.handshake_timeout = timeout;
        self
    }

    /// Sets the options of the accepted TCP sockets.
    pub fn socket(mut self, options: SocketOptions) -> Self {
        self.listen.socket = options;
        self
    }
}

/// Registries, and the stop.
impl ServerBuilder {
    /// Announces the server where clients of a target look: `memory:///shop`. As soon as it serves and health says so, it
    /// is announced; when it begins to stop, it is taken out. May be called several times, for several registries.
    ///
    /// A registry that is away, or says no, is no reason not to serve: it is asked again until it takes the server, and for ever
    /// after it has lost it. [`Server::announcements`](super::Server::announcements) tells when it is. See [`rpc_registry::announce`].
    pub fn announce_at(mut self, target: impl Into<String>) -> Self {
        self.targets.push(target.into());
        self
    }

    /// Adds the registry of a scheme: a [`MemoryRegistry`](crate::MemoryRegistry) makes `memory:` targets known to
    /// [`announce_at`](Self::announce_at).
    pub fn registry(mut self, registry: impl Scheme) -> Self {
        self.schemes.add(registry);
        self
    }

    /// The same as [`announce_at`](Self::announce_at), with the registry itself and the service's name in it.
    pub fn register(mut self, registry: impl Registry, name: impl Into<String>) -> Self {
        self.embedded += usize::from((&registry as &dyn Any).is::<MemoryRegistry>());
        self.places.push(Place::new(Arc::new(registry), name));
        self
    }

    /// Starts with an instance that is announced and gets no calls, until [`InstanceHandle::enable`](rpc_registry::InstanceHandle::enable) lets them come.
    pub fn start_disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Sets the host, or host and port, that others are told to call. Default: the address that the server listens on; if
    /// that is all addresses of the host, the one from which it calls others. An [`instance`](Self::instance) with addresses of
    /// its own has no need of it.
    ///
    /// A loopback address is announced with a warning, unless in a [`MemoryRegistry`]: only this host can call it.
    ///
    /// A host without a route to the outside has no such address. Its loopback address is announced until it has, which is
    /// looked at every second.
    ///
    /// A unix socket is announced as it is. [`Server::bind`](super::Server::bind) refuses a server that listens on such alone.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Makes the server known to clients of this process, which then call it directly: see [`LocalServers`].
    pub fn local_servers(mut self, servers: &LocalServers) -> Self {
        self.local.push(servers.clone());
        self
    }

    /// Sets what is announced. Default: an instance with a random id. Where it has no address, those that the server
    /// listens on are filled in, as [`advertise`](Self::advertise)d; where it has no start time, now.
    pub fn instance(mut self, instance: Instance) -> Self {
        self.instance = Some(instance);
        self
    }

    /// Sets how long everything is served as before once the stop has begun, so that clients can go elsewhere first.
    /// Default: as long as the slowest of the registries needs to tell them, which is 3 s where it pushes; 100 ms if there
    /// is no registry. Behind a load balancer that asks for health every few seconds, it wants two of these periods.
    pub fn notice(mut self, notice: Duration) -> Self {
        self.notice = Some(notice);
        self
    }

    /// Sets how long running calls may go on once peers were told to go elsewhere. Default: 20 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = Some(grace);
        self
    }

    /// Sets how long streams may go on: a part of [`shutdown_grace`](Self::shutdown_grace). Default: 5 s, or the grace if
    /// that is shorter.
    pub fn stream_grace(mut self, grace: Duration) -> Self {
        self.stream_grace = Some(grace);
        self
    }

    /// Leaves SIGTERM and SIGINT alone.
    pub fn without_signals(mut self) -> Self {
        self.signals = false;
        self
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self
            .services
            .iter()
            .map(|service| service.descriptor().name())
            .collect();
        f.debug_struct("ServerBuilder")
            .field("services", &services)
            .finish_non_exhaustive()
    }
}
