//! A service written by hand, whose handlers a test brings.

use std::{sync::Arc, time::Duration};

use rpc_core::{
    BoxFuture, Call, CallFuture, Channel, Context, MethodDescriptor, Request, Response, Result,
    ServiceDescriptor, Shape, Streaming, client,
    codec::{Json, MessageCodec, MethodTypes, MsgPack},
    server::{self, Dispatch, Router, Service},
    transport::LocalTransport,
};

static METHODS: [MethodDescriptor; 4] = [
    MethodDescriptor::new("/test.v1.Numbers/One", Shape::Unary).codecs(&["msgpack", "json"]),
    MethodDescriptor::new("/test.v1.Numbers/Sum", Shape::ClientStreaming).codecs(&["msgpack", "json"]),
    MethodDescriptor::new("/test.v1.Numbers/Count", Shape::ServerStreaming).codecs(&["msgpack", "json"]),
    MethodDescriptor::new("/test.v1.Numbers/Relay", Shape::Bidi).codecs(&["msgpack", "json"]),
];
static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor::new("test.v1.Numbers", &METHODS);
static NUMBER: [MessageCodec<u32>; 2] = [MessageCodec::of::<MsgPack>(), MessageCodec::of::<Json>()];

type Types = MethodTypes<u32, u32>;

pub(crate) static ONE: Types = MethodTypes::new(&METHODS[0], &NUMBER, &NUMBER);
pub(crate) static SUM: Types = MethodTypes::new(&METHODS[1], &NUMBER, &NUMBER);
pub(crate) static COUNT: Types = MethodTypes::new(&METHODS[2], &NUMBER, &NUMBER);
pub(crate) static RELAY: Types = MethodTypes::new(&METHODS[3], &NUMBER, &NUMBER);

type Handler<I, O> = Box<dyn Fn(Request<I>) -> BoxFuture<'static, Result<Response<O>>> + Send + Sync>;

/// A service with one method of each shape.
pub(crate) struct Numbers {
    one: Handler<u32, u32>,
    sum: Handler<Streaming<u32>, u32>,
    count: Handler<u32, Streaming<u32>>,
    relay: Handler<Streaming<u32>, Streaming<u32>>,
}

impl Numbers {
    /// Doubles, sums up, counts, and passes on what comes.
    pub(crate) fn new() -> Self {
        Self {
            one: Box::new(|request| Box::pin(async move { Ok(Response::new(request.into_inner() * 2)) })),
            sum: Box::new(|request| {
                Box::pin(async move {
                    let mut sum = 0;
                    let mut stream = request.into_inner();
                    while let Some(number) = stream.message().await? {
                        sum += number;
                    }
                    Ok(Response::new(sum))
                })
            }),
            count: Box::new(|request| {
                Box::pin(async move { Ok(Response::new(Streaming::from_iter(0..request.into_inner()))) })
            }),
            relay: Box::new(|request| Box::pin(async move { Ok(Response::new(request.into_inner())) })),
        }
    }

    pub(crate) fn on_one<F>(mut self, handler: impl Fn(Request<u32>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response<u32>>> + Send + 'static,
    {
        self.one = Box::new(move |request| Box::pin(handler(request)));
        self
    }

    pub(crate) fn on_sum<F>(
        mut self,
        handler: impl Fn(Request<Streaming<u32>>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<u32>>> + Send + 'static,
    {
        self.sum = Box::new(move |request| Box::pin(handler(request)));
        self
    }

    pub(crate) fn on_count<F>(mut self, handler: impl Fn(Request<u32>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response<Streaming<u32>>>> + Send + 'static,
    {
        self.count = Box::new(move |request| Box::pin(handler(request)));
        self
    }

    pub(crate) fn on_relay<F>(
        mut self,
        handler: impl Fn(Request<Streaming<u32>>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<Streaming<u32>>>> + Send + 'static,
    {
        self.relay = Box::new(move |request| Box::pin(handler(request)));
        self
    }

    pub(crate) fn dispatch(self) -> Dispatch {
        Dispatch::new(router(self))
    }

    pub(crate) fn channel(self) -> Channel {
        Channel::new(LocalTransport::new(self.dispatch()))
    }
}

impl Service for Numbers {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &DESCRIPTOR
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        match method {
            0 => server::unary(&ONE, call, |request| (self.one)(request)),
            1 => server::client_streaming(&SUM, call, |request| (self.sum)(request)),
            2 => server::server_streaming(&COUNT, call, |request| (self.count)(request)),
            _ => server::bidi(&RELAY, call, |request| (self.relay)(request)),
        }
    }
}

pub(crate) fn router(service: impl Service) -> Arc<Router> {
    let mut router = Router::new();
    router.add(Arc::new(service)).expect("the only service");
    Arc::new(router)
}

pub(crate) async fn one(channel: &Channel, number: u32) -> Result<u32> {
    client::unary(channel, &ONE, Request::new(number))
        .await
        .map(Response::into_inner)
}

pub(crate) async fn sum(channel: &Channel, numbers: Streaming<u32>) -> Result<u32> {
    client::client_streaming(channel, &SUM, Request::new(numbers))
        .await
        .map(Response::into_inner)
}

pub(crate) async fn count(channel: &Channel, to: u32) -> Result<Streaming<u32>> {
    client::server_streaming(channel, &COUNT, Request::new(to))
        .await
        .map(Response::into_inner)
}

pub(crate) async fn relay(channel: &Channel, numbers: Streaming<u32>) -> Result<Streaming<u32>> {
    client::bidi(channel, &RELAY, Request::new(numbers))
        .await
        .map(Response::into_inner)
}

pub(crate) async fn collect(mut stream: Streaming<u32>) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    while let Some(number) = stream.message().await? {
        all.push(number);
    }
    Ok(all)
}

/// Only fails a test that hangs.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(1), future)
        .await
        .expect("it hangs")
}

/// Ends when its call is given up, and says so.
pub(crate) fn tell_when_given_up(context: &Context) -> tokio::sync::oneshot::Receiver<()> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let context = context.clone();
    tokio::spawn(async move {
        context.cancellation().cancelled().await;
        let _ = tell.send(());
    });
    told
}

/// A stream that never has a message, and never ends.
pub(crate) struct Pending;

impl futures_core::Stream for Pending {
    type Item = Result<u32>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}
