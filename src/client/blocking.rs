//! The client of threads without a runtime.

use rpc_core::{BuildError, Channel, Result, blocking::Blocking};

use super::{Client, ClientBuilder};

/// A client together with the small runtime that drives its connections.
///
/// Blocking stubs are made from both: `InventoryBlockingClient::new(&client, client.blocking())`.
///
/// ```no_run
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = rpc::Client::builder().target("static://10.0.0.1:50051").build_blocking()?;
/// client.ready()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct BlockingClient {
    client: Client,
    blocking: Blocking,
}

impl ClientBuilder {
    /// Makes a client for threads without a runtime: one thread drives its connections, and each call blocks the thread
    /// that makes it.
    ///
    /// # Errors
    /// As of [`build`](Self::build); and if the system gives no thread.
    pub fn build_blocking(self) -> Result<BlockingClient, BuildError> {
        let blocking = Blocking::new()?;
        let client = blocking.enter(|| self.build())?;
        Ok(BlockingClient { client, blocking })
    }
}

impl BlockingClient {
    /// The runtime, for stubs.
    pub fn blocking(&self) -> &Blocking {
        &self.blocking
    }

    /// The client that is driven by it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// As [`Client::ready`].
    ///
    /// # Errors
    /// As of [`Client::ready`]; and FAILED_PRECONDITION inside of async code.
    pub fn ready(&self) -> Result<()> {
        self.blocking.run(self.client.ready())?
    }

    /// As [`Client::close`].
    ///
    /// # Errors
    /// FAILED_PRECONDITION inside of async code.
    pub fn close(&self) -> Result<()> {
        self.blocking.run(self.client.close())
    }
}

impl From<BlockingClient> for Channel {
    fn from(client: BlockingClient) -> Self {
        client.client.into()
    }
}

impl From<&BlockingClient> for Channel {
    fn from(client: &BlockingClient) -> Self {
        (&client.client).into()
    }
}
