//! What is counted.

use bytes::Bytes;
use rpc::{
    Client, Instance, MemoryRegistry, Server, net::Address, registry::Registry as _,
    transport::LocalTransport,
};
use tokio::{runtime::Builder, task::JoinSet};

use crate::{
    picks,
    subjects::{
        Caller, Frame, RpcFramed, RpcGrpc, RpcLocal, Subject,
        service::{EchoClient, EchoServer, Implementation},
    },
};

/// A name, and what makes so many calls.
pub(super) type Path = (&'static str, fn(u32));

/// All of them.
pub(super) const ALL: &[Path] = &[
    ("local-call", |calls| run::<RpcLocal>(calls, 0)),
    ("local-frame", |calls| run::<Frame>(calls, 0)),
    ("local-call-1-endpoint", |calls| endpoints(calls, 1)),
    ("local-call-10-endpoints", |calls| endpoints(calls, 10)),
    ("local-call-1000-endpoints", |calls| endpoints(calls, 1000)),
    ("100-picks-weighted-of-10", |calls| picks("weighted", 10, calls)),
    ("100-picks-weighted-of-1000", |calls| {
        picks("weighted", 1000, calls);
    }),
    ("100-picks-weighted-of-10000", |calls| {
        picks("weighted", 10_000, calls);
    }),
    ("100-picks-p2c-of-10", |calls| picks("p2c", 10, calls)),
    ("100-picks-p2c-of-1000", |calls| picks("p2c", 1000, calls)),
    ("100-picks-p2c-of-10000", |calls| picks("p2c", 10_000, calls)),
    ("100-picks-least-request-of-10", |calls| {
        picks("least_request", 10, calls);
    }),
    ("100-picks-least-request-of-1000", |calls| {
        picks("least_request", 1000, calls);
    }),
    ("100-picks-least-request-of-10000", |calls| {
        picks("least_request", 10_000, calls);
    }),
    ("framed-call-0-B", |calls| run::<RpcFramed>(calls, 0)),
    ("framed-call-1024-B", |calls| run::<RpcFramed>(calls, 1024)),
    ("framed-64-calls-at-once-0-B", |calls| {
        at_once::<RpcFramed>(calls, 64);
    }),
    ("grpc-call-0-B", |calls| run::<RpcGrpc>(calls, 0)),
    ("grpc-64-calls-at-once-0-B", |calls| {
        at_once::<RpcGrpc>(calls, 64);
    }),
    ("grpc-call-1024-B", |calls| run::<RpcGrpc>(calls, 1024)),
    ("grpc-call-65536-B", |calls| run::<RpcGrpc>(calls, 65536)),
    ("grpc-stream-of-64-1024-B", stream::<RpcGrpc>),
];

/// Pairs of which the second takes no more than the first: what there is more of must not cost more.
///
/// With one endpoint there is no choice, and neither the clock is read for it nor anything compared: calls are compared where
/// there is one.
pub(super) const FLAT: &[(&str, &str)] = &[
    ("local-call-10-endpoints", "local-call-1000-endpoints"),
    ("100-picks-weighted-of-1000", "100-picks-weighted-of-10000"),
    ("100-picks-p2c-of-1000", "100-picks-p2c-of-10000"),
    (
        "100-picks-least-request-of-1000",
        "100-picks-least-request-of-10000",
    ),
];

/// Both sides in one thread, one call after the other: the same instructions each time.
fn block_on(future: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future);
}

fn run<S: Subject>(calls: u32, payload: usize) {
    block_on(async {
        let subject = S::connect(S::serve().await).await;
        let mut caller = subject.caller();
        let body = Bytes::from(vec![0x5a; payload]);
        for _ in 0..calls {
            caller.unary(body.clone()).await;
        }
    });
}

/// So many callers, each of which calls again as soon as it is answered.
fn at_once<S: Subject>(calls: u32, callers: usize) {
    block_on(async {
        let subject = S::connect(S::serve().await).await;
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let mut caller = subject.caller();
            tasks.spawn(async move {
                for _ in 0..calls {
                    caller.unary(Bytes::new()).await;
                }
            });
        }
        tasks.join_all().await;
    });
}

fn stream<S: Subject>(calls: u32) {
    block_on(async {
        let subject = S::connect(S::serve().await).await;
        let mut caller = subject.caller();
        let body = Bytes::from(vec![0x5a; 1024]);
        for _ in 0..calls {
            caller.stream(body.clone()).await;
        }
    });
}

/// The choice alone, a hundred times each: a single one is less than what differs between two lists that were made.
fn picks(name: &str, endpoints: usize, count: u32) {
    let balancers = picks::balancers();
    let balancer = balancers.iter().find(|balancer| balancer.name() == name);
    picks::pick(&**balancer.expect("it is one of them"), endpoints, count * 100);
}

/// The choice among so many endpoints, which all lead to the same server in this process.
fn endpoints(calls: u32, count: u32) {
    block_on(async {
        let server = Server::builder()
            .add_service(EchoServer::new(Implementation))
            .build();
        let dispatch = server.expect("a server").dispatch();
        let memory = MemoryRegistry::new();
        let mut registrations = Vec::new();
        for n in 0..count {
            let address = format!("127.0.{}.{}:1", n / 250, n % 250 + 1).parse::<Address>();
            let instance = Instance::new(n.to_string()).with_any_address(address.expect("an address"));
            let registration = memory.announce("echo", &instance).await;
            registrations.push(registration.expect("it is in this process"));
        }
        let client = Client::builder()
            .target("memory:///echo")
            .registry(memory)
            .transport(LocalTransport::new(dispatch))
            .build()
            .expect("a client");
        client.ready().await.expect("it is in this process");
        while client.endpoints().snapshot().ready().len() < count as usize {
            tokio::task::yield_now().await;
        }
        let mut stub = EchoClient::new(&client);
        for _ in 0..calls {
            Caller::unary(&mut stub, Bytes::new()).await;
        }
    });
}
