//! A service whose methods are whatever a test gives it, and what a test may want to know of them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    BoxFuture, Call, CallFuture, MethodDescriptor, Request, Response, Result, ServiceDescriptor, Shape,
    Streaming,
    codec::{Codec, CodecError, Decode, Encode, MessageCodec, MethodTypes},
    server::{self, Dispatch, Router, Service},
};
use tokio::sync::Notify;

/// A codec that leaves bytes as they are.
pub(crate) struct Raw;

impl Codec for Raw {
    const NAME: &'static str = "proto";
}

impl Encode<Bytes> for Raw {
    fn encode(value: &Bytes, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn encoded_len(value: &Bytes) -> Option<usize> {
        Some(value.len())
    }
}

impl Decode<Bytes> for Raw {
    fn decode(bytes: Bytes) -> Result<Bytes, CodecError> {
        Ok(bytes)
    }
}

const CODECS: &[&str] = &["proto"];

pub(crate) static METHODS: [MethodDescriptor; 4] = [
    MethodDescriptor::new("/test.Test/Unary", Shape::Unary).codecs(CODECS),
    MethodDescriptor::new("/test.Test/Upload", Shape::ClientStreaming).codecs(CODECS),
    MethodDescriptor::new("/test.Test/Download", Shape::ServerStreaming).codecs(CODECS),
    MethodDescriptor::new("/test.Test/Chat", Shape::Bidi).codecs(CODECS),
];

static SERVICE: ServiceDescriptor = ServiceDescriptor::new("test.Test", &METHODS);

static RAW: [MessageCodec<Bytes>; 1] = [MessageCodec::of::<Raw>()];

/// Unary, upload, download, chat.
pub(crate) static TYPES: [MethodTypes<Bytes, Bytes>; 4] = [
    MethodTypes::new(&METHODS[0], &RAW, &RAW),
    MethodTypes::new(&METHODS[1], &RAW, &RAW),
    MethodTypes::new(&METHODS[2], &RAW, &RAW),
    MethodTypes::new(&METHODS[3], &RAW, &RAW),
];

type Handler<Req, Res> = Box<dyn Fn(Request<Req>) -> BoxFuture<'static, Result<Response<Res>>> + Send + Sync>;

/// Methods that echo, unless a test says otherwise.
pub(crate) struct TestService {
    unary: Handler<Bytes, Bytes>,
    upload: Handler<Streaming<Bytes>, Bytes>,
    download: Handler<Bytes, Streaming<Bytes>>,
    chat: Handler<Streaming<Bytes>, Streaming<Bytes>>,
}

macro_rules! setters {
    ($($name:ident: $req:ty => $res:ty;)*) => {$(
        pub(crate) fn $name<F, Fut>(mut self, handler: F) -> Self
        where
            F: Fn(Request<$req>) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<Response<$res>>> + Send + 'static,
        {
            self.$name = Box::new(move |request| Box::pin(handler(request)));
            self
        }
    )*};
}

impl TestService {
    pub(crate) fn new() -> Self {
        Self {
            unary: Box::new(|request| Box::pin(async move { Ok(Response::new(request.into_inner())) })),
            upload: Box::new(|request| {
                Box::pin(async move {
                    let mut stream = request.into_inner();
                    let mut all = BytesMut::new();
                    while let Some(message) = stream.message().await? {
                        all.extend_from_slice(&message);
                    }
                    Ok(Response::new(all.freeze()))
                })
            }),
            download: Box::new(|request| {
                Box::pin(async move {
                    let message = request.into_inner();
                    Ok(Response::new(Streaming::from_iter([message.clone(), message])))
                })
            }),
            chat: Box::new(|request| Box::pin(async move { Ok(Response::new(request.into_inner())) })),
        }
    }

    setters! {
        unary: Bytes => Bytes;
        upload: Streaming<Bytes> => Bytes;
        download: Bytes => Streaming<Bytes>;
        chat: Streaming<Bytes> => Streaming<Bytes>;
    }

    pub(crate) fn dispatch(self) -> Dispatch {
        let mut router = Router::new();
        router.add(Arc::new(self)).expect("it is the only service");
        Dispatch::new(Arc::new(router))
    }
}

impl Service for TestService {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &SERVICE
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        match method {
            0 => server::unary(&TYPES[0], call, &self.unary),
            1 => server::client_streaming(&TYPES[1], call, &self.upload),
            2 => server::server_streaming(&TYPES[2], call, &self.download),
            _ => server::bidi(&TYPES[3], call, &self.chat),
        }
    }
}

/// Tells when it is dropped: a handler holds one to show that it was given up.
#[derive(Clone, Default)]
pub(crate) struct Dropped(Arc<(AtomicBool, Notify)>);

impl Dropped {
    pub(crate) fn guard(&self) -> DropGuard {
        DropGuard(self.clone())
    }

    /// Waits until a guard was dropped.
    pub(crate) async fn wait(&self) {
        loop {
            let notified = self.0.1.notified();
            if self.0.0.load(Ordering::SeqCst) {
                return;
            }
            notified.await;
        }
    }
}

pub(crate) struct DropGuard(Dropped);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.0.0.store(true, Ordering::SeqCst);
        self.0.0.1.notify_waiters();
    }
}

/// Counts, and lets others wait for a count.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<(AtomicUsize, Notify)>);

impl Counter {
    pub(crate) fn add(&self) -> usize {
        let count = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.notify_waiters();
        count
    }

    pub(crate) fn get(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) async fn reached(&self, count: usize) {
        loop {
            let notified = self.0.1.notified();
            if self.get() >= count {
                return;
            }
            notified.await;
        }
    }
}
