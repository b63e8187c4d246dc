//! The client: from a target to a channel that stubs call through.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = rpc::Client::builder().target("static://10.0.0.1:50051,10.0.0.2:50051").build()?;
//! client.ready().await?;
//! // let stock = InventoryClient::new(&client).stock(sku).await?;
//! # Ok(()) }
//! ```

mod balancing;
mod blocking;
mod builder;
mod discovery;
#[cfg(feature = "framed")]
mod framed;
mod routing;
mod slot;
mod stack;
mod transport;

use rpc_core::Result;
use rpc_lb::{
    Endpoints,
    mirror::{MirrorCounts, MirrorLayer},
};
use rpc_registry::View;

pub use self::{blocking::BlockingClient, builder::ClientBuilder};
pub use rpc_core::{
    CallOptions, Channel,
    client::{bidi, client_streaming, server_streaming, unary},
};

/// The connections to one target, and all that governs the calls over them.
///
/// Cheap to clone; clones share connections and all that was learnt. Stubs are made from it:
/// `InventoryClient::new(&client)`. Many stubs can share one client.
///
/// Dropping the last clone, stubs included, closes the connections at once, and what is still under way on them fails;
/// [`close`](Self::close) waits for it instead. Neither dropping nor building needs a runtime.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    endpoints: Endpoints,
    mirror: MirrorLayer,
    wait_for_ready: bool,
}

impl Client {
    /// Begins a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// What stubs call.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The endpoints of the target, as this client sees them.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What is known of each target: how fresh its list of instances is, how old, why it is not live; how many instances are
    /// listed and how many held back; which records were refused, and for which field. Before the first call, and after
    /// [`close`](Self::close), nothing is known. For people and checks: it is put together anew each time.
    pub fn discovery(&self) -> Vec<View> {
        self.endpoints.discovery()
    }

    /// How many copies of calls were made [by rule](ClientBuilder::mirror).
    pub fn mirrored(&self) -> MirrorCounts {
        self.mirror.counts()
    }

    /// Resolves and connects, unless that has begun, and waits until a call could be sent.
    ///
    /// It has no deadline of its own, and where the client waits for ready it waits for ever if nobody comes. A server that
    /// awaits it before it says that it serves bounds it by `tokio::time::timeout`, and serves in any case: two that call each
    /// other would never begin. Beside it, it awaits its own end, or a signal stops the server and not the program.
    ///
    /// # Errors
    /// As a call would: UNAVAILABLE with reason `NO_ENDPOINT` when nobody can be reached, unless this client
    /// [waits for ready](ClientBuilder::wait_for_ready). The client goes on connecting after that.
    pub async fn ready(&self) -> Result<()> {
        self.endpoints.ready(self.wait_for_ready).await
    }

    /// Takes no more calls, and waits until those under way are done, streams included. A call that is made from here on
    /// fails with UNAVAILABLE, reason `CHANNEL_CLOSED`.
    ///
    /// # Cancellation
    /// Dropping the future stops the waiting, not the closing.
    pub async fn close(&self) {
        self.endpoints.close().await;
    }
}

impl From<Client> for Channel {
    fn from(client: Client) -> Self {
        client.channel
    }
}

impl From<&Client> for Channel {
    fn from(client: &Client) -> Self {
        client.channel.clone()
    }
}
