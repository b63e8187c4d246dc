//! How often the task of a connection is woken.
//!
//! A task that wakes itself for an answer that it is about to write has a turn for nothing, and a runtime of several workers
//! fetches one of them for it: calls one at a time go to and fro between threads then, and take three times as long.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use rpc::{
    Client,
    server::{Dispatch, Router},
    transport::{Accepted, Drain, ServerTransport},
};
use tokio::net::TcpListener;

use super::support::{Gate, GateClient, in_time};

/// The waker of a task, which counts how often it is used while the task is being polled.
struct Watched {
    task: Waker,
    is_polled: Arc<AtomicBool>,
    from_within: Arc<AtomicUsize>,
}

impl Wake for Watched {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_polled.load(SeqCst) {
            self.from_within.fetch_add(1, SeqCst);
        }
        self.task.wake_by_ref();
    }
}

/// Runs a future, and counts how often it wakes itself. There must be no other thread.
async fn watched<F: Future>(future: F, from_within: Arc<AtomicUsize>) -> F::Output {
    let is_polled = Arc::new(AtomicBool::new(false));
    let mut future = pin!(future);
    // One waker for one task, as the runtime has it.
    let mut waker = None::<Waker>;
    poll_fn(|cx| {
        let waker = waker.get_or_insert_with(|| {
            Waker::from(Arc::new(Watched {
                task: cx.waker().clone(),
                is_polled: Arc::clone(&is_polled),
                from_within: Arc::clone(&from_within),
            }))
        });
        is_polled.store(true, SeqCst);
        let polled: Poll<F::Output> = future.as_mut().poll(&mut Context::from_waker(waker));
        is_polled.store(false, SeqCst);
        polled
    })
    .await
}

/// How often the task of a server's connection wakes itself for ten calls, one after the other.
async fn own_wakes(transport: impl ServerTransport, framed: bool) -> usize {
    let mut router = Router::new();
    router.add(Arc::new(Gate::new())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().unwrap();
    let wakes = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&wakes);
    let (_stop, drain) = Drain::new();
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.expect("a client");
        io.set_nodelay(true).unwrap();
        let accepted = Accepted {
            io: Box::new(io),
            local: None,
            peer: None,
            secure: false,
        };
        let dispatch = Dispatch::new(Arc::new(router));
        watched(transport.serve(accepted, dispatch, drain), counted).await;
    });
    let client = Client::builder()
        .target(format!("static://{address}"))
        .prefer_framed(framed)
        .build()
        .unwrap();
    let gate = GateClient(client.clone().into());
    // The first calls bring along what both sides have to settle.
    for number in 0..5 {
        assert_eq!(gate.echo(number).await.unwrap(), number);
    }
    wakes.store(0, SeqCst);
    for number in 0..10 {
        assert_eq!(gate.echo(number).await.unwrap(), number);
    }
    wakes.load(SeqCst)
}

#[tokio::test]
async fn a_server_that_answers_on_the_spot_does_not_wake_itself_over_grpc() {
    let transport = rpc::grpc::GrpcServer::new(rpc::grpc::ServerConfig::default());
    assert_eq!(in_time(own_wakes(transport, false)).await, 0);
}

#[cfg(feature = "framed")]
#[tokio::test]
async fn a_server_that_answers_on_the_spot_does_not_wake_itself_over_framed() {
    let transport = rpc::framed::FramedServer::new(rpc::framed::ServerConfig::default());
    assert_eq!(in_time(own_wakes(transport, true)).await, 0);
}
