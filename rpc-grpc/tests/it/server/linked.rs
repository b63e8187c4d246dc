//! Our own client in front of our own server, in memory.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use rpc_core::{
    BoxFuture, Status,
    net::{Address, Dialed},
    server::Dispatch,
    transport::{DrainHandle, Link, Transport as _, supervise::Connect},
};
use rpc_grpc::{ClientConfig, GrpcServer, GrpcTransport};

use super::{
    peer::{Served, serve},
    service::TestService,
};

/// The way to a server.
pub(crate) struct Linked {
    server: GrpcServer,
    dispatch: Dispatch,
    dials: AtomicUsize,
    /// Of each connection: without it the server would stop.
    drains: Mutex<Vec<DrainHandle>>,
}

/// A server, and a link to it.
pub(crate) fn linked(
    server: GrpcServer,
    service: TestService,
    configure: impl FnOnce(&mut ClientConfig),
) -> (Arc<Linked>, Arc<dyn Link>) {
    let linked = Arc::new(Linked {
        server,
        dispatch: service.dispatch(),
        dials: AtomicUsize::new(0),
        drains: Mutex::default(),
    });
    let mut config = ClientConfig::default();
    configure(&mut config);
    let connector = Arc::clone(&linked) as Arc<dyn Connect>;
    let transport = GrpcTransport::with_connector(config, connector).expect("the settings are legal");
    let address = "10.0.0.1:50051".parse().expect("legal");
    (linked, transport.link(&address))
}

impl Linked {
    /// How many connections were made.
    pub(crate) fn dials(&self) -> usize {
        self.dials.load(SeqCst)
    }
}

impl Connect for Linked {
    fn connect<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        Box::pin(async {
            self.dials.fetch_add(1, SeqCst);
            let Served { io, drain, .. } = serve(&self.server, self.dispatch.clone());
            self.drains.lock().expect("nothing panics").push(drain);
            Ok(Dialed::new(Box::new(io)))
        })
    }
}
