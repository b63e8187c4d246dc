//! How links speak gRPC.

use std::sync::{Arc, atomic::AtomicU32};

use rpc_core::{
    Call, Reply,
    net::Address,
    transport::supervise::{Connect, Failed, Life, LinkConfig, Protocol, Spread, Unable},
};

use super::{
    ClientConfig,
    connection::{Connection, Driver, establish},
    exchange::{HeadTemplate, attempt},
};

/// What is the same for all connections of a link.
pub(super) struct Grpc {
    pub(super) head: HeadTemplate,
    pub(super) config: Arc<ClientConfig>,
    pub(super) connector: Arc<dyn Connect>,
    /// How often the server complained of too many pings.
    pub(super) complaints: Arc<AtomicU32>,
}

impl Protocol for Grpc {
    type Connection = Connection;
    type Driver = Driver;

    fn link_config(&self) -> &LinkConfig {
        &self.config.link
    }

    fn spread(&self) -> Spread {
        self.config.spread
    }

    fn connect(
        &self,
        address: &Address,
        life: Life,
    ) -> impl Future<Output = Result<(Arc<Connection>, Driver), Unable>> + Send {
        establish(self, address, life)
    }

    fn attempt<'a>(
        &'a self,
        connection: &'a Arc<Connection>,
        call: &'a mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Failed>> + Send {
        attempt(connection, &self.head, &self.config, call)
    }
}
