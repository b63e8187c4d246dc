//! Everything that can be said of a server before it is one.

use std::{fmt, sync::Arc, time::Duration};

use rpc_core::{
    BoxError, BuildError, OwnedCall, Reply,
    net::{ListenConfig, SocketOptions},
    server::{Router, Service},
    stage::{CallService, Hook, UserLayer},
    transport::ServerTransport,
};
use rpc_governance::{lane::LaneHook, server::load::LoadReporter};
use rpc_registry::{Instance, InstanceHandle, InstanceState, Place, Registry, Scheme, Schemes};
use tower_layer::Layer;

use super::{
    HealthReporter, Server, ServerHandle,
    advertise::outward,
    announce::Announcements,
    built_in::{add_health, add_load},
    handle::StoppedOnDrop,
    serve::Parts,
    shutdown::Times,
    stack,
};
use crate::{
    LocalServers,
    schemes::{self, given_to},
};

/// The notice where no registry asks for more: health is pushed to those who watch it.
const NOTICE: Duration = Duration::from_millis(100);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);
const STREAM_GRACE: Duration = Duration::from_secs(5);

/// Makes a [`Server`]. Mistakes are found by [`build`](Self::build), which names the method that was called wrongly.
#[must_use = "nothing is made before `build`"]
pub struct ServerBuilder {
    services: Vec<Arc<dyn Service>>,
    lanes: LaneHook,
    hooks: Vec<Arc<dyn Hook>>,
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
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Puts a layer around every call, whatever transport it came over, health and unknown methods included. The layer
    /// that was added first is the outermost.
    ///
    /// Any `tower::Layer` fits whose service takes an [`OwnedCall`], answers with a [`Reply`], and can be cloned. Without
    /// one, calls pay nothing for this.
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
    /// Default: an own one, which [`Server::health`] gives.
    pub fn health(mut self, reporter: HealthReporter) -> Self {
        self.health = Some(reporter);
        self
    }

    /// Leaves the health service out. What the server's [reporter](Server::health) says of the server as a whole counts in
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

    /// Sets how many connections there may be at once. Default: 65,536. Further ones are closed at once.
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
    /// A registry that is away is no reason not to serve: it is asked again until it takes the server, and for ever after
    /// it has lost it. See [`rpc_registry::announce`].
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
        self.places.push(Place::new(Arc::new(registry), name));
        self
    }

    /// Starts with an instance that is announced and gets no calls, until [`InstanceHandle::enable`] lets them come.
    pub fn start_disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Sets the host, or host and port, that others are told to call. Default: the address that the server listens on; if
    /// that is all addresses of the host, the one from which it calls others. An [`instance`](Self::instance) with addresses of
    /// its own has no need of it.
    ///
    /// A host without a route to the outside has no such address. Its loopback address is announced until it has, which is
    /// looked at every second.
    ///
    /// A unix socket is announced as it is. [`Server::bind`] refuses a server that listens on such alone.
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

    /// Checks it all and makes the server.
    ///
    /// # Errors
    /// For the first mistake, with the name of the method that was called wrongly, or not called: no service, one that is
    /// there already, a limit of zero, options that contradict each other.
    pub fn build(self) -> Result<Server, BuildError> {
        self.check()?;
        let health = self.health.unwrap_or_default();
        let mut router = Router::new();
        for service in self.services {
            health.add(service.descriptor().name());
            router.add(service)?;
        }
        if !self.without_health {
            add_health(&mut router, &health)?;
        }
        let mut hooks = self.hooks;
        if let Some(load) = &self.load {
            add_load(&mut router, load)?;
            // The outermost one: what others refuse is counted.
            hooks.insert(0, Arc::new(load.hook()));
        }
        #[cfg_attr(
            not(any(feature = "grpc", feature = "framed")),
            allow(unused_mut, reason = "nothing is added to what the user gave")
        )]
        let mut transports = self.transports;
        let mut protocols: Vec<_> = transports.iter().map(|transport| transport.protocol()).collect();
        #[cfg(all(feature = "grpc", feature = "framed"))]
        let (usual, has_http_layers) = (super::framed::like(&self.grpc), self.grpc.has_layers());
        #[cfg(all(feature = "framed", not(feature = "grpc")))]
        let (usual, has_http_layers) = (rpc_framed::ServerConfig::default(), false);
        #[cfg(feature = "grpc")]
        self.grpc
            .finish(self.listen.handshake_timeout, &mut transports, &mut protocols)?;
        // After gRPC: a few bytes tell them apart, and those who know no other protocol look at the first that is listed.
        #[cfg(feature = "framed")]
        self.framed.finish(
            usual,
            has_http_layers,
            self.listen.handshake_timeout,
            &mut transports,
            &mut protocols,
        )?;
        if transports.is_empty() {
            return Err(BuildError::new(
                "transport",
                "nothing can be spoken: enable the feature `grpc`, or add one",
            ));
        }
        protocols.dedup();
        let grace = self.shutdown_grace.unwrap_or(SHUTDOWN_GRACE);
        let mut places = self.places;
        for target in &self.targets {
            let target = target.parse().map_err(given_to("announce_at"))?;
            schemes::check_memory(&self.schemes, &target)?;
            places.push(self.schemes.registry(&target).map_err(given_to("announce_at"))?);
        }
        let asked = places.iter().map(|place| place.registry.notice()).max();
        let advertise = self.advertise.as_deref().map(str::parse).transpose()?;
        let mut instance = self.instance.unwrap_or_else(|| Instance::new(random_id()));
        if self.disabled {
            instance.state = InstanceState::Disabled;
        }
        let times = Times {
            notice: self.notice.or(asked).unwrap_or(NOTICE),
            grace,
            stream_grace: self.stream_grace.unwrap_or(STREAM_GRACE).min(grace),
        };
        #[cfg(feature = "tls")]
        let secure = self.listen.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secure = false;
        let parts = Parts {
            dispatch: stack::assemble(router, self.lanes, hooks, &self.layers),
            transports,
            protocols,
            listen: self.listen,
            times,
            health,
            load: self.load,
            announcements: Announcements {
                places,
                instance: InstanceHandle::new(instance),
                advertise,
                outward,
                secure,
                local: self.local,
            },
            signals: self.signals,
        };
        Ok(Server {
            parts,
            stopped: StoppedOnDrop(ServerHandle::new()),
        })
    }

    fn check(&self) -> Result<(), BuildError> {
        let wrong = |field, problem| Err(BuildError::new(field, problem));
        if self.services.is_empty() {
            return wrong(
                "add_service",
                "a server without a service answers nothing: add one",
            );
        }
        if self.lanes.is_outbound() {
            return wrong(
                "lanes",
                "is for calls that go out, and calls come in here: `LaneHook::inbound()` is wanted",
            );
        }
        if self.listen.max_connections == 0 {
            return wrong(
                "max_connections",
                "no connection fits into 0: at least 1 is wanted",
            );
        }
        if self.listen.handshake_timeout.is_zero() {
            return wrong("handshake_timeout", "no handshake fits into zero time");
        }
        self.listen.socket.check()?;
        let is_announced = !self.places.is_empty() || !self.targets.is_empty();
        if self.without_health && self.health.is_some() && !is_announced {
            return wrong(
                "health",
                "a reporter is of no use with `without_health` and without a registry: leave one of both out",
            );
        }
        if self.health.as_ref().is_some_and(HealthReporter::is_over) {
            return wrong(
                "health",
                "the server of this reporter has stopped, and nothing serves with it any more: make a new one",
            );
        }
        if self.stream_grace > Some(self.shutdown_grace.unwrap_or(SHUTDOWN_GRACE)) {
            return wrong(
                "stream_grace",
                "streams cannot get more time than `shutdown_grace` gives to all calls",
            );
        }
        let for_registries = [
            (self.instance.is_some() && self.local.is_empty(), "instance"),
            (self.disabled, "start_disabled"),
            (self.advertise.is_some(), "advertise"),
        ];
        if let Some((_, field)) = for_registries
            .into_iter()
            .find(|(said, _)| *said && !is_announced)
        {
            return wrong(
                field,
                "there is no registry to announce it in: add one with `announce_at` or `register`",
            );
        }
        let has_addresses = self
            .instance
            .as_ref()
            .is_some_and(|instance| !instance.addresses.is_empty());
        if self.advertise.is_some() && has_addresses {
            return wrong(
                "advertise",
                "the instance has addresses of its own, which are announced: leave one of both out",
            );
        }
        if let Some(Err(fault)) = self.instance.as_ref().map(Instance::check) {
            return Err(BuildError::new("instance", fault.to_string()).with_source(fault));
        }
        if self.places.iter().any(|place| place.name.is_empty()) {
            return wrong(
                "register",
                "the name is empty: give the one that targets end with, `shop` in `memory:///shop`",
            );
        }
        Ok(())
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

fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
