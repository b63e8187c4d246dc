//! How links speak this protocol.

use std::sync::Arc;

use rpc_core::{
    Call, Reply,
    net::Address,
    transport::supervise::{Connect, Failed, Life, LinkConfig, Protocol, Unable},
};

use super::{
    ClientConfig,
    connection::{Connection, Task, establish},
    exchange::attempt,
};

/// What is the same for all connections of a link.
pub(super) struct Framed {
    pub(super) config: Arc<ClientConfig>,
    pub(super) connector: Arc<dyn Connect>,
}

impl Protocol for Framed {
    type Connection = Connection;
    type Driver = Task;

    fn link_config(&self) -> &LinkConfig {
        &self.config.link
    }

    fn connect(
        &self,
        address: &Address,
        life: Life,
    ) -> impl Future<Output = Result<(Arc<Connection>, Task), Unable>> + Send {
        establish(self, address, life)
    }

    fn attempt<'a>(
        &'a self,
        connection: &'a Arc<Connection>,
        call: &'a mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Failed>> + Send {
        attempt(connection, &self.config, call)
    }
}
