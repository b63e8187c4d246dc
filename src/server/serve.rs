//! A server, bound and serving.

use std::{convert::Infallible, fmt, pin::pin, sync::Arc};

use rpc_core::{
    net::{Address, ListenConfig, Listener},
    server::Dispatch,
    transport::{Drain, ServerTransport},
};
use rpc_governance::server::load::LoadReporter;
use rpc_registry::InstanceHandle;

use super::{
    Announcements, HealthReporter, IntoAddresses, ServeError, ServerBuilder, ServerHandle, advertise,
    announce::Plan,
    handle::StoppedOnDrop,
    shutdown::{Stop, Times},
    signals::Signals,
};
use crate::local::LocalEntry;

/// Services, and how they are served. Made by [`Server::builder`].
///
/// See the [module](super) for how it stops.
#[must_use = "a server serves nobody before `serve`"]
pub struct Server {
    pub(super) parts: Parts,
    pub(super) stopped: StoppedOnDrop,
}

/// What the builder hands over.
pub(super) struct Parts {
    pub(super) dispatch: Dispatch,
    pub(super) transports: Vec<Arc<dyn ServerTransport>>,
    /// What is spoken, as instances list it: the transports that answer calls.
    pub(super) protocols: Vec<&'static str>,
    pub(super) listen: ListenConfig,
    pub(super) times: Times,
    pub(super) health: HealthReporter,
    pub(super) load: Option<LoadReporter>,
    pub(super) announce: Plan,
    pub(super) signals: bool,
}

impl Server {
    /// Begins a server without services.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Listens on addresses and serves until SIGTERM or SIGINT asks it to stop, or a [handle](Self::handle) does; a
    /// second signal stops it without grace. The signals are left alone with
    /// [`without_signals`](ServerBuilder::without_signals).
    ///
    /// They stay caught once this has returned, for as long as the process lives, and do nothing then: tokio never gives a
    /// signal back. A program that goes on listens for them itself, or uses
    /// [`serve_with_shutdown`](Self::serve_with_shutdown) and `without_signals`.
    ///
    /// A registry that is away, or that says [`Denied`](rpc_registry::FaultKind::Denied), is asked again, for ever, while the server
    /// serves: its [announcements](Self::announcements) tell.
    ///
    /// # Errors
    /// If it cannot begin: an address cannot be bound, or the first answer of a registry is that the instance makes no sense. A
    /// registry is heard while the server serves: it stops as it would otherwise, and then says so.
    ///
    /// # Cancellation
    /// Dropping the future closes the sockets at once and breaks every connection off, without a stop.
    pub async fn serve(self, addresses: impl IntoAddresses) -> Result<(), ServeError> {
        self.bind(addresses).await?.serve().await
    }

    /// The same, until a future is done. Signals are left alone.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    ///
    /// # Cancellation
    /// Dropping the future closes the sockets at once and breaks every connection off, without a stop.
    pub async fn serve_with_shutdown(
        self,
        addresses: impl IntoAddresses,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        self.bind(addresses).await?.serve_with_shutdown(shutdown).await
    }

    /// Listens on addresses: all of them, or none. From then on connections queue up; [`Bound::serve`] serves them.
    ///
    /// A host's name stands for the first of its addresses that can be bound, and port 0 for a free port:
    /// [`Bound::local_addresses`] says which. A unix socket's file may be left over from a process that is gone.
    /// `[::]` takes IPv4 too where the system says so, as Linux does; beside `0.0.0.0` with the same port it takes none.
    ///
    /// # Errors
    /// If a text is no address, or an address cannot be bound; if [`advertise`](ServerBuilder::advertise) has no address that
    /// it could stand for.
    pub async fn bind(self, addresses: impl IntoAddresses) -> Result<Bound, ServeError> {
        let addresses = addresses.into_addresses()?;
        let listener = Listener::bind(&addresses, self.parts.listen.clone()).await?;
        let addresses = listener.local_addresses();
        advertise::check(self.parts.announce.advertise.as_ref(), &addresses)?;
        Ok(Bound {
            server: self,
            listener,
            addresses,
        })
    }

    /// The services and the layers around them, for callers in this process: what
    /// [`LocalTransport`](rpc_core::transport::LocalTransport) calls. The server need not serve for that.
    ///
    /// Callers in this process are not told of a stop; they go on until they are done.
    pub fn dispatch(&self) -> Dispatch {
        self.parts.dispatch.clone()
    }

    /// Says how the services are: to those who ask the health service, unless the server was built without it, and in
    /// registries, where the server as a whole counts and is shown as disabled while it does not serve.
    pub fn health(&self) -> HealthReporter {
        self.parts.health.clone()
    }

    /// Changes the server's instance in the registries while it is announced: weight, lane, groups, state.
    pub fn instance(&self) -> InstanceHandle {
        self.parts.announce.instance.clone()
    }

    /// Tells whether the server is announced, while it serves: in which registries, and why not in the others.
    pub fn announcements(&self) -> Announcements {
        self.parts.announce.teller.announcements()
    }

    /// Stops the server once it serves.
    pub fn handle(&self) -> ServerHandle {
        self.stopped.0.clone()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            dispatch,
            protocols,
            listen,
            times,
            ..
        } = &self.parts;
        f.debug_struct("Server")
            .field("services", dispatch)
            .field("protocols", protocols)
            .field("listen", listen)
            .field("times", times)
            .finish_non_exhaustive()
    }
}

/// A server that listens: connections queue up until it serves.
///
/// Dropping it closes the sockets.
#[derive(Debug)]
#[must_use = "connections queue up until `serve`"]
pub struct Bound {
    server: Server,
    listener: Listener,
    addresses: Vec<Address>,
}

impl Bound {
    /// The addresses that it listens on, with their real ports, in the order in which they were given.
    pub fn local_addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Stops the server.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Says how the services are.
    pub fn health(&self) -> HealthReporter {
        self.server.health()
    }

    /// Changes the server's instance in the registries: see [`Server::instance`].
    pub fn instance(&self) -> InstanceHandle {
        self.server.instance()
    }

    /// Tells whether the server is announced: see [`Server::announcements`].
    pub fn announcements(&self) -> Announcements {
        self.server.announcements()
    }

    /// Serves until SIGTERM or SIGINT asks it to stop, or a [handle](Self::handle) does. See [`Server::serve`].
    ///
    /// # Errors
    /// If the first answer of a registry is that the instance makes no sense, or signals cannot be listened for.
    ///
    /// # Cancellation
    /// Dropping the future closes the sockets at once and breaks every connection off, without a stop.
    pub async fn serve(self) -> Result<(), ServeError> {
        if !self.server.parts.signals {
            return self.run().await;
        }
        // Before the first connection is served: from here on no signal is lost.
        let mut signals = Signals::listen().map_err(ServeError::signals)?;
        let handle = self.handle();
        let heed = async {
            signals.next().await;
            handle.shutdown();
            signals.next().await;
            handle.shutdown_now();
            std::future::pending().await
        };
        tokio::select! {
            result = self.run() => result,
            never = heed => never,
        }
    }

    /// Serves until a future is done, or a [handle](Self::handle) stops it. See [`Server::serve_with_shutdown`].
    ///
    /// # Errors
    /// If the first answer of a registry is that the instance makes no sense.
    ///
    /// # Cancellation
    /// Dropping the future closes the sockets at once and breaks every connection off, without a stop.
    pub async fn serve_with_shutdown(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let handle = self.handle();
        let heed = async {
            shutdown.await;
            handle.shutdown();
            std::future::pending().await
        };
        tokio::select! {
            result = self.run() => result,
            never = heed => never,
        }
    }

    async fn run(self) -> Result<(), ServeError> {
        let Self {
            server: Server { parts, stopped },
            listener,
            addresses,
        } = self;
        let handle = &stopped.0;
        let (drain, view) = Drain::new();
        for address in &addresses {
            tracing::info!(%address, "listening");
        }
        // Before it is announced, and until serving has ended, however it ends.
        let local = parts.announce.add_locally(&parts.dispatch);
        // Connections queue up from here on: whoever learns of the server from a registry is served.
        let mut announced = parts.announce.begin(&parts.protocols, &addresses);
        let serving = listener.serve(parts.transports, parts.dispatch, view);
        let mut serving = pin!(reporting(parts.load.as_ref(), &parts.health, serving));
        // Whoever was refused may be found elsewhere already: calls get their time nevertheless.
        let result = tokio::select! {
            biased;
            () = serving.as_mut() => return Ok(()),
            () = handle.stop_wanted() => Ok(()),
            error = announced.keep(&parts.health) => Err(error),
        };
        local.iter().for_each(LocalEntry::leave);
        let stop = Stop {
            times: parts.times,
            handle,
            health: &parts.health,
            drain: &drain,
            announced: Some(announced),
        };
        stop.run(serving).await;
        result
    }
}

/// Serves, and makes load reports meanwhile.
async fn reporting(load: Option<&LoadReporter>, health: &HealthReporter, serving: impl Future<Output = ()>) {
    let Some(load) = load else {
        return serving.await;
    };
    let end = async {
        health.ended().await;
        // Streams of reports end where watches of health do, and for the same reason.
        load.end();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        () = serving => {}
        never = load.run() => match never {},
        never = end => match never {},
    }
}
