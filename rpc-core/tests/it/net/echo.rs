//! A transport that sends back what it gets, and a listener around it.

use std::{sync::Arc, time::Duration};

use rpc_core::{
    BoxFuture,
    net::{Address, ListenConfig, Listener},
    server::{Dispatch, Router},
    transport::{Accepted, Drain, DrainHandle, DrainPhase, Io, Recognition, ServerTransport},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

/// Speaks whatever begins with its name, and answers with its name first.
pub(crate) struct Echo(pub(crate) &'static str);

impl ServerTransport for Echo {
    fn protocol(&self) -> &'static str {
        self.0
    }

    fn alpn(&self) -> &'static [u8] {
        self.0.as_bytes()
    }

    fn recognises(&self, prefix: &[u8]) -> Recognition {
        let name = self.0.as_bytes();
        if prefix.starts_with(name) {
            Recognition::Yes
        } else if name.starts_with(prefix) {
            Recognition::More
        } else {
            Recognition::No
        }
    }

    fn serve(&self, mut connection: Accepted, _: Dispatch, mut drain: Drain) -> BoxFuture<'static, ()> {
        let name = self.0;
        Box::pin(async move {
            let peer = connection
                .peer
                .as_ref()
                .map_or("unnamed".to_owned(), ToString::to_string);
            let hello = format!(
                "[{name} {} {peer}]",
                if connection.secure { "secure" } else { "plain" }
            );
            connection.io.write_all(hello.as_bytes()).await.unwrap();
            let mut bytes = [0; 1024];
            loop {
                tokio::select! {
                    read = connection.io.read(&mut bytes) => match read {
                        Ok(count) if count > 0 => connection.io.write_all(&bytes[..count]).await.unwrap(),
                        _ => return,
                    },
                    () = drain.reached(DrainPhase::Draining) => return,
                }
            }
        })
    }
}

/// A listener that serves, until it is stopped or dropped.
pub(crate) struct Serving {
    pub(crate) addresses: Vec<Address>,
    drain: DrainHandle,
    task: JoinHandle<()>,
}

impl Serving {
    pub(crate) async fn start(addresses: &[Address], config: ListenConfig) -> Self {
        Self::start_with(addresses, config, vec![Arc::new(Echo("echo"))]).await
    }

    pub(crate) async fn start_with(
        addresses: &[Address],
        config: ListenConfig,
        transports: Vec<Arc<dyn ServerTransport>>,
    ) -> Self {
        let listener = Listener::bind(addresses, config).await.unwrap();
        let addresses = listener.local_addresses();
        let (handle, drain) = Drain::new();
        let dispatch = Dispatch::new(Arc::new(Router::new()));
        let task = tokio::spawn(listener.serve(transports, dispatch, drain));
        Self {
            addresses,
            drain: handle,
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.drain.advance(DrainPhase::Draining);
        in_time(self.task).await.unwrap();
    }
}

/// Any free port of this machine.
pub(crate) fn any_port() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

/// Sends bytes and reads until as many came back, behind the greeting. `None` if the connection was closed before.
pub(crate) async fn exchange(io: &mut (impl Io + ?Sized), bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    in_time(async {
        io.write_all(bytes).await.ok()?;
        let mut hello = Vec::new();
        while hello.last() != Some(&b']') {
            hello.push(io.read_u8().await.ok()?);
        }
        let mut back = vec![0; bytes.len()];
        io.read_exact(&mut back).await.ok()?;
        Some((String::from_utf8(hello).unwrap(), back))
    })
    .await
}

/// Fails a test that hangs.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("the test hangs")
}
