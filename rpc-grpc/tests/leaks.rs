//! A thousand connects that fail, in each way that sockets fail, leave no task and no descriptor. Alone in its program, because
//! descriptors are counted for all of it.

#![cfg(target_os = "linux")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rpc_core::{
    BoxFuture, Status,
    net::{Address, Dialed, Dialer},
    transport::{LinkState, Transport as _, supervise::Connect},
};
use rpc_grpc::{ClientConfig, GrpcTransport};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, runtime::Handle};

const CONNECTS: usize = 1000;

/// Counts how often it was asked.
struct Counted(Dialer, AtomicUsize);

impl Connect for Counted {
    fn connect<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        self.1.fetch_add(1, SeqCst);
        self.0.connect(address)
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("it is Linux").count()
}

/// Waits until something holds, or for a minute.
async fn comes_true(what: &str, is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    assert!(came.is_ok(), "never: {what}");
}

async fn fails(address: Address) {
    let mut config = ClientConfig::default();
    config.link.backoff.base = Duration::from_millis(1);
    config.link.backoff.max = Duration::from_millis(1);
    config.link.backoff.first = Duration::ZERO;
    config.link.idle_timeout = None;
    let connector = Arc::new(Counted(Dialer::new(), AtomicUsize::new(0)));
    let transport = GrpcTransport::with_connector(config, connector.clone()).expect("the settings are legal");
    let (tasks, open) = (Handle::current().metrics().num_alive_tasks(), descriptors());
    let link = transport.link(&address);
    link.connect();
    comes_true("a thousand connects", || connector.1.load(SeqCst) > CONNECTS).await;
    let state = link.state().borrow().clone();
    assert!(!matches!(state, LinkState::Ready), "{address}");
    // The supervisor, and what one connect holds that is under way.
    let more = Handle::current().metrics().num_alive_tasks() - tasks;
    assert!(more <= 2, "{more} tasks");
    assert!(descriptors() <= open + 2, "{} descriptors", descriptors() - open);
    drop(link);
    comes_true("no task is left", || {
        Handle::current().metrics().num_alive_tasks() <= tasks
    })
    .await;
    comes_true("no descriptor is left", || descriptors() <= open).await;
}

/// A server that says this to whoever comes, and hangs up.
async fn says(text: &'static [u8]) -> Address {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = Address::from(listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let _ = io.write_all(text).await;
        }
    });
    address
}

#[tokio::test]
async fn failed_connects_leave_nothing_behind() {
    // Nobody listens there any more.
    let nobody = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        Address::from(listener.local_addr().expect("it is bound"))
    };
    fails(nobody).await;
    fails(says(b"").await).await;
    fails(says(b"HTTP/1.1 400 Bad Request\r\n\r\n").await).await;
}
