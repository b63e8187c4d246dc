//! A service whose handlers wait until a test lets them go, and a server around it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rpc::{
    Call, CallFuture, Channel, Client, Context, MethodDescriptor, Request, Response, Result,
    ServiceDescriptor, Shape, Streaming, client,
    codec::{MessageCodec, MethodTypes, MsgPack},
    net::Address,
    server::{self, Bound, HealthReporter, ServeError, Server, ServerBuilder, ServerHandle, Service},
};
use tokio::{sync::Semaphore, task::JoinHandle};

static METHODS: [MethodDescriptor; 4] = [
    MethodDescriptor::new("/test.v1.Gate/Echo", Shape::Unary)
        .idempotent()
        .codecs(&["msgpack"]),
    MethodDescriptor::new("/test.v1.Gate/Wait", Shape::Unary).codecs(&["msgpack"]),
    MethodDescriptor::new("/test.v1.Gate/Watch", Shape::ServerStreaming).codecs(&["msgpack"]),
    MethodDescriptor::new("/test.v1.Gate/Absent", Shape::Unary).codecs(&["msgpack"]),
];
static SERVICE: ServiceDescriptor = ServiceDescriptor::new("test.v1.Gate", &METHODS);
static OTHER: ServiceDescriptor = ServiceDescriptor::new("test.v1.Other", &[]);
static NUMBER: [MessageCodec<u32>; 1] = [MessageCodec::of::<MsgPack>()];

type Types = MethodTypes<u32, u32>;

static ECHO: Types = MethodTypes::new(&METHODS[0], &NUMBER, &NUMBER);
static WAIT: Types = MethodTypes::new(&METHODS[1], &NUMBER, &NUMBER);
static WATCH: Types = MethodTypes::new(&METHODS[2], &NUMBER, &NUMBER);

/// `Echo` answers at once, `Wait` once the gate lets one through, `Watch` sends its number and then nothing.
#[derive(Clone)]
pub(crate) struct Gate {
    /// One permit for each call of `Wait` that arrived.
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
    /// Who called `Echo`: an address for each connection.
    peers: Arc<Mutex<BTreeSet<String>>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
            peers: Arc::default(),
        }
    }

    /// Waits until a call of `Wait` is being handled.
    pub(crate) async fn arrived(&self) {
        in_time(self.arrived.acquire()).await.unwrap().forget();
    }

    /// Over how many connections `Echo` was called.
    pub(crate) fn connections(&self) -> usize {
        self.peers.lock().unwrap().len()
    }

    /// True if a call of `Wait` arrived that nobody waited for.
    pub(crate) fn has_arrived(&self) -> bool {
        self.arrived.available_permits() > 0
    }

    /// Lets so many calls of `Wait` go.
    pub(crate) fn open(&self, calls: usize) {
        self.open.add_permits(calls);
    }
}

impl Service for Gate {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &SERVICE
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        match method {
            0 => server::unary(&ECHO, call, async |request| {
                let peer = Context::with_current(|context| context.caller()?.peer().map(ToString::to_string));
                self.peers.lock().unwrap().extend(peer);
                Ok(Response::new(request.into_inner()))
            }),
            1 => server::unary(&WAIT, call, async |request| {
                self.arrived.add_permits(1);
                self.open.acquire().await.expect("it is never closed").forget();
                Ok(Response::new(request.into_inner()))
            }),
            _ => server::server_streaming(&WATCH, call, async |request| {
                let (sender, stream) = Streaming::channel(1);
                let number = request.into_inner();
                tokio::spawn(async move {
                    let _ = sender.send(number).await;
                    // It is silent until nobody reads it any more.
                    sender.closed().await;
                });
                Ok(Response::new(stream))
            }),
        }
    }
}

/// A service without methods.
pub(crate) struct Other;

impl Service for Other {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &OTHER
    }

    fn call<'a>(&'a self, _: usize, _: &'a mut Call<'_>) -> CallFuture<'a> {
        unreachable!("there is no method")
    }
}

/// A stub of [`Gate`], as the macro would write it.
#[derive(Clone)]
pub(crate) struct GateClient(pub(crate) Channel);

impl GateClient {
    pub(crate) async fn echo(&self, number: u32) -> Result<u32> {
        in_time(client::unary(&self.0, &ECHO, Request::new(number)))
            .await
            .map(Response::into_inner)
    }

    /// The same with a header.
    pub(crate) async fn echo_with(&self, number: u32, key: &'static str, value: &'static str) -> Result<u32> {
        let mut request = Request::new(number);
        request.metadata_mut().insert(key, value).unwrap();
        in_time(client::unary(&self.0, &ECHO, request))
            .await
            .map(Response::into_inner)
    }

    pub(crate) async fn wait(&self, number: u32) -> Result<u32> {
        in_time(client::unary(&self.0, &WAIT, Request::new(number)))
            .await
            .map(Response::into_inner)
    }

    pub(crate) async fn watch(&self, number: u32) -> Result<Streaming<u32>> {
        in_time(client::server_streaming(&self.0, &WATCH, Request::new(number)))
            .await
            .map(Response::into_inner)
    }

    /// A method that the descriptor has and the service, if it is [`Other`], has not.
    pub(crate) async fn absent(&self) -> Result<u32> {
        static ABSENT: Types = MethodTypes::new(&UNKNOWN, &NUMBER, &NUMBER);
        static UNKNOWN: MethodDescriptor =
            MethodDescriptor::new("/test.v1.Nowhere/Absent", Shape::Unary).codecs(&["msgpack"]);
        in_time(client::unary(&self.0, &ABSENT, Request::new(0)))
            .await
            .map(Response::into_inner)
    }
}

/// A server that serves in a task of its own.
pub(crate) struct Running {
    pub(crate) addresses: Vec<Address>,
    pub(crate) handle: ServerHandle,
    pub(crate) health: HealthReporter,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Serves on any port.
    pub(crate) async fn start(builder: ServerBuilder) -> Self {
        Self::serve(builder.build().unwrap().bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn serve(bound: Bound) -> Self {
        Self {
            addresses: bound.local_addresses().to_vec(),
            handle: bound.handle(),
            health: bound.health(),
            task: tokio::spawn(bound.serve()),
        }
    }

    /// A client of its first address.
    pub(crate) fn client(&self) -> GateClient {
        GateClient(
            Client::builder()
                .target(target(&self.addresses[0]))
                .build()
                .unwrap()
                .into(),
        )
    }

    /// Waits until it has stopped.
    pub(crate) async fn ended(self) {
        in_time(self.task).await.unwrap().unwrap();
    }

    /// Waits until it has stopped, and says why.
    pub(crate) async fn failed(self) -> ServeError {
        in_time(self.task).await.unwrap().unwrap_err()
    }

    /// Begins the graceful stop, and waits until it has stopped.
    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        self.ended().await;
    }

    /// Waits until its sockets are closed.
    pub(crate) async fn refuses(&self) {
        in_time(async {
            while tokio::net::TcpStream::connect(self.addresses[0].to_string())
                .await
                .is_ok()
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A builder for tests: no signals, and no time spent on a notice.
pub(crate) fn quiet(gate: &Gate) -> ServerBuilder {
    Server::builder()
        .add_service(gate.clone())
        .without_signals()
        .notice(Duration::ZERO)
}

/// The target of one address.
pub(crate) fn target(address: &Address) -> String {
    match address {
        Address::Unix(_) => address.to_string(),
        _ => format!("static://{address}"),
    }
}

/// Fails a test that hangs.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("the test hangs")
}
