//! The in-process transport: all shapes, typed hand-over, refusals, metadata.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Body, Call, CallFuture, CallOptions, Channel, Code, Context, Method, MethodDescriptor, Reply, Request,
    Response, Result, ServiceDescriptor, Shape, Stage, Streaming, client,
    codec::{Codec, CodecError, Decode, Encode, Json, MessageCodec, MethodTypes, MsgPack},
    context::Lane,
    message::{Encoded, Typed},
    net::Address,
    server::{self, Dispatch, Service},
    status::{Side, reason},
    transport::{LinkState, LocalTransport, Transport},
};
use serde::{Deserialize, Serialize};

use crate::support::{COUNT, Numbers, ONE, collect, count, one, relay, router, sum};

#[tokio::test]
async fn all_shapes() -> Result<()> {
    let channel = Numbers::new().channel();
    assert_eq!(one(&channel, 21).await?, 42);
    assert_eq!(sum(&channel, Streaming::from_iter([1, 2, 3])).await?, 6);
    assert_eq!(collect(count(&channel, 3).await?).await?, [0, 1, 2]);
    assert_eq!(
        collect(relay(&channel, Streaming::from_iter([7, 8])).await?).await?,
        [7, 8]
    );
    assert_eq!(sum(&channel, Streaming::empty()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_codec_is_chosen_by_name() -> Result<()> {
    let channel = Numbers::new().channel();
    let json = channel.with_options(CallOptions::new().with_codec("json"));
    assert_eq!(one(&json, 1).await?, 2);

    let unknown = channel.with_options(CallOptions::new().with_codec("xml"));
    let status = one(&unknown, 1).await.expect_err("no such codec");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unimplemented, Some(reason::CODEC_UNKNOWN))
    );
    assert!(status.message().contains("`codecs = ["), "{status}");
    assert_eq!(status.place().side(), Some(Side::Client));
    assert!(!status.was_processed());
    Ok(())
}

#[tokio::test]
async fn unknown_methods_are_refused_as_not_processed() {
    static ELSEWHERE: [MethodDescriptor; 2] = [
        MethodDescriptor::new("/test.v1.Numbers/None", Shape::Unary),
        MethodDescriptor::new("/test.v1.Letters/One", Shape::Unary),
    ];
    static NUMBER: [MessageCodec<u32>; 1] = [MessageCodec::of::<MsgPack>()];
    static METHOD: MethodTypes<u32, u32> = MethodTypes::new(&ELSEWHERE[0], &NUMBER, &NUMBER);
    static SERVICE: MethodTypes<u32, u32> = MethodTypes::new(&ELSEWHERE[1], &NUMBER, &NUMBER);

    let channel = Numbers::new().channel();
    for (types, why) in [
        (&METHOD, reason::METHOD_UNKNOWN),
        (&SERVICE, reason::SERVICE_UNKNOWN),
    ] {
        let status = client::unary(&channel, types, Request::new(1))
            .await
            .expect_err("unknown");
        assert_eq!((status.code(), status.reason()), (Code::Unimplemented, Some(why)));
        assert!(!status.was_processed() && status.is_retryable());
        assert_eq!(status.place().path(), Some(types.descriptor().path()));
        assert_eq!(status.place().side(), Some(Side::Server));
    }
}

#[tokio::test]
async fn metadata_and_trailers_go_both_ways() -> Result<()> {
    let channel = Numbers::new()
        .on_one(|request| async move {
            let mut response = Response::new(0);
            let tenant = request.metadata().get("x-tenant").unwrap_or("none").to_owned();
            response.metadata_mut().insert("x-seen", &tenant).expect("legal");
            response
                .trailers_mut()
                .insert_bin("x-cost-bin", b"\0".as_slice())
                .expect("legal");
            Ok(response)
        })
        .on_count(|request| async move {
            let mut response = Response::new(Streaming::from_iter(0..request.into_inner()));
            response.trailers_mut().insert("x-rows", "2").expect("legal");
            Ok(response)
        })
        .channel();

    let mut request = Request::new(1);
    request.metadata_mut().insert("x-tenant", "acme").expect("legal");
    let response = client::unary(&channel, &ONE, request).await?;
    assert_eq!(response.metadata().get("x-seen"), Some("acme"));
    assert_eq!(
        response.trailers().get_bin("x-cost-bin").as_deref(),
        Some(b"\0".as_slice())
    );

    let mut stream = client::server_streaming(&channel, &COUNT, Request::new(2))
        .await?
        .into_inner();
    assert!(stream.trailers().is_empty(), "nothing before the end");
    while stream.message().await?.is_some() {}
    assert_eq!(stream.trailers().get("x-rows"), Some("2"));
    Ok(())
}

#[tokio::test]
async fn extensions_stay_on_their_side() -> Result<()> {
    let channel = Numbers::new()
        .on_one(|request| async move {
            let mut response = Response::new(u32::from(request.extensions().get::<&str>().is_some()));
            response.extensions_mut().insert("the server's");
            Ok(response)
        })
        .channel();
    let mut request = Request::new(1);
    request.extensions_mut().insert("the client's");
    let response = client::unary(&channel, &ONE, request).await?;
    assert_eq!(
        *response.message(),
        0,
        "the handler saw what a wire would not carry"
    );
    assert!(response.extensions().get::<&str>().is_none());
    Ok(())
}

#[tokio::test]
async fn a_refused_call_can_be_sent_again() -> Result<()> {
    /// Refuses the first call, before anything was taken of it.
    struct RefuseOnce<S>(S, AtomicUsize);

    impl<S: Stage> Stage for RefuseOnce<S> {
        async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(rpc_core::Status::unavailable("not yet").not_processed());
            }
            self.0.call(call).await
        }
    }

    let router = router(Numbers::new().on_one(|request| async move {
        let times = request
            .metadata()
            .get("x-times")
            .map_or(0, |times| times.parse().expect("a number"));
        Ok(Response::new(request.into_inner() * times))
    }));
    let dispatch = Dispatch::with_pipeline(router, |router| {
        rpc_core::stage::SharedStage::new(RefuseOnce(router, AtomicUsize::new(0)))
    });
    let transport = LocalTransport::new(dispatch);

    let mut value = Typed::new(5_u32, MessageCodec::of::<MsgPack>());
    let mut call = Call::new(ONE.method(), "msgpack", Body::Value(&mut value));
    call.metadata.insert("x-times", "3").expect("legal");
    let status = transport.call(&mut call).await.expect_err("refused");
    assert!(!status.was_processed());
    assert!(matches!(call.body, Body::Value(_)));
    let reply = transport.call(&mut call).await?;
    assert!(matches!(reply.body, Body::Boxed(_)));
    assert!(matches!(call.body, Body::Empty), "what was handed over is gone");
    let status = transport
        .call(&mut call)
        .await
        .expect_err("there is nothing to send");
    assert_eq!(status.reason(), Some(reason::MESSAGE_COUNT));
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_dropped_at_the_server_is_the_callers_again() {
    let stuck = router(Numbers::new().on_one(|_| std::future::pending()));
    let transport = LocalTransport::new(Dispatch::new(stuck));
    let lane = Lane::new("blue").expect("a lane");
    let mut call = Call::new(
        Method::Shared(Arc::new(
            MethodDescriptor::shared("test.v1.Numbers", "One", Shape::Unary).expect("names"),
        )),
        "json",
        Body::Encoded(Encoded {
            bytes: Bytes::from_static(b"1"),
        }),
    );
    call.context = Context::new().with_lane(lane.clone());
    call.options.wait_for_ready = Some(true);
    call.extensions.insert("the caller's");

    let caller = {
        let mut answer = pin!(transport.call(&mut call));
        std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await
    };
    assert!(caller, "the handler waits for ever");
    assert!(matches!(call.method, Method::Shared(_)));
    assert_eq!(call.context.lane(), Some(&lane));
    assert!(
        call.context.caller().is_none(),
        "who calls is known at the server only"
    );
    assert_eq!(call.options.wait_for_ready, Some(true));
    assert_eq!(call.extensions.get(), Some(&"the caller's"));
}

#[test]
fn a_value_is_taken_once() {
    use rpc_core::message::Value;

    let mut typed = Typed::new(5_u32, MessageCodec::<u32>::of::<MsgPack>());
    assert_eq!(typed.take_value(), Some(5));
    assert_eq!(typed.take_value(), None);
    assert!(typed.take().is_none());
    let status = typed.encode(&mut BytesMut::new()).expect_err("it is gone");
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn encoded_and_miscounted_messages() -> Result<()> {
    let dispatch = Numbers::new().dispatch();
    let transport = LocalTransport::new(dispatch);
    let mut bytes = BytesMut::new();
    MessageCodec::of::<MsgPack>().encode(&4_u32, &mut bytes)?;
    let encoded = Encoded {
        bytes: bytes.freeze(),
    };

    let mut call = Call::new(ONE.method(), "msgpack", Body::Encoded(encoded));
    for _ in 0..2 {
        transport.call(&mut call).await?;
    }

    let outgoing = |numbers: Streaming<u32>| {
        let codec = MessageCodec::of::<MsgPack>();
        let mut bodies = Vec::new();
        let mut numbers = numbers;
        async move {
            while let Some(number) = numbers.message().await.expect("no failure") {
                let mut bytes = BytesMut::new();
                codec.encode(&number, &mut bytes).expect("a number");
                bodies.push(bytes.freeze());
            }
            Body::Incoming(Box::new(Script(bodies.into_iter().collect())))
        }
    };
    for numbers in [vec![], vec![1, 2]] {
        let body = outgoing(Streaming::from_iter(numbers)).await;
        let status = transport
            .call(&mut Call::new(ONE.method(), "msgpack", body))
            .await
            .expect_err("miscounted");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Unimplemented, Some(reason::MESSAGE_COUNT))
        );
    }
    let body = outgoing(Streaming::from_iter([3])).await;
    transport
        .call(&mut Call::new(ONE.method(), "msgpack", body))
        .await?;
    Ok(())
}

struct Script(std::collections::VecDeque<Bytes>);

impl rpc_core::message::Incoming for Script {
    fn poll_message(&mut self, _: &mut std::task::Context<'_>) -> Poll<Option<Result<Bytes>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn detach(&mut self) -> Box<dyn rpc_core::message::Incoming> {
        Box::new(Script(std::mem::take(&mut self.0)))
    }
}

/// A codec that can do nothing: who gets a message through did not use it.
enum Never {}

impl Codec for Never {
    const NAME: &'static str = "never";
}

impl<T> Encode<T> for Never {
    fn encode(_: &T, _: &mut BytesMut) -> Result<(), CodecError> {
        panic!("a message was encoded")
    }
}

impl<T> Decode<T> for Never {
    fn decode(_: Bytes) -> Result<T, CodecError> {
        panic!("a message was decoded")
    }
}

/// What is not even sent to another process.
#[derive(Debug)]
struct Handle(Arc<str>);

static HANDLE_METHODS: [MethodDescriptor; 2] = [
    MethodDescriptor::new("/test.v1.Handles/Pass", Shape::Unary),
    MethodDescriptor::new("/test.v1.Handles/PassAll", Shape::Bidi),
];
static HANDLE_SERVICE: ServiceDescriptor = ServiceDescriptor::new("test.v1.Handles", &HANDLE_METHODS);
static HANDLE: [MessageCodec<Handle>; 1] = [MessageCodec::of::<Never>()];
static PASS: MethodTypes<Handle, Handle> = MethodTypes::new(&HANDLE_METHODS[0], &HANDLE, &HANDLE);
static PASS_ALL: MethodTypes<Handle, Handle> = MethodTypes::new(&HANDLE_METHODS[1], &HANDLE, &HANDLE);

struct Handles;

impl Service for Handles {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &HANDLE_SERVICE
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        match method {
            0 => server::unary(&PASS, call, |request| async {
                Ok(Response::new(request.into_inner()))
            }),
            _ => server::bidi(&PASS_ALL, call, |request| async {
                Ok(Response::new(request.into_inner()))
            }),
        }
    }
}

#[tokio::test]
async fn values_are_handed_over_as_they_are() -> Result<()> {
    let channel = Channel::new(LocalTransport::new(Dispatch::new(router(Handles))));
    let text: Arc<str> = "the very same".into();
    let response = client::unary(&channel, &PASS, Request::new(Handle(Arc::clone(&text)))).await?;
    assert!(Arc::ptr_eq(&text, &response.into_inner().0));

    let stream = Streaming::from_iter([Handle(Arc::clone(&text))]);
    let mut stream = client::bidi(&channel, &PASS_ALL, Request::new(stream))
        .await?
        .into_inner();
    let handle = stream.message().await?.expect("one message");
    assert!(Arc::ptr_eq(&text, &handle.0));
    Ok(())
}

/// The same service as [`Numbers`], by another trait whose messages are other types.
#[tokio::test]
async fn other_types_go_through_the_codec() -> Result<()> {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Amount(u32);

    static AMOUNT: [MessageCodec<Amount>; 2] = [MessageCodec::of::<MsgPack>(), MessageCodec::of::<Json>()];
    static METHODS: [MethodDescriptor; 2] = [
        MethodDescriptor::new("/test.v1.Numbers/One", Shape::Unary),
        MethodDescriptor::new("/test.v1.Numbers/Relay", Shape::Bidi),
    ];
    static DOUBLE: MethodTypes<Amount, Amount> = MethodTypes::new(&METHODS[0], &AMOUNT, &AMOUNT);
    static PASS: MethodTypes<Amount, Amount> = MethodTypes::new(&METHODS[1], &AMOUNT, &AMOUNT);

    let channel = Numbers::new().channel();
    for codec in ["msgpack", "json"] {
        let channel = channel.with_options(CallOptions::new().with_codec(codec));
        let response = client::unary(&channel, &DOUBLE, Request::new(Amount(4))).await?;
        assert_eq!(response.message().0, 8);

        let amounts = Streaming::from_iter([Amount(1), Amount(2)]);
        let mut stream = client::bidi(&channel, &PASS, Request::new(amounts))
            .await?
            .into_inner();
        assert_eq!(stream.message().await?.map(|amount| amount.0), Some(1));
        assert_eq!(stream.message().await?.map(|amount| amount.0), Some(2));
        assert!(stream.message().await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_link_refuses() -> Result<()> {
    let address: Address = "local:shop".parse().expect("an address");
    let link = LocalTransport::new(Numbers::new().dispatch()).link(&address);
    assert!(link.state().borrow().is_ready());
    let mut value = Typed::new(1_u32, MessageCodec::of::<MsgPack>());
    let mut call = Call::new(ONE.method(), "msgpack", Body::Value(&mut value));
    link.close();
    assert!(matches!(*link.state().borrow(), LinkState::Closed));
    let status = link.call(&mut call).await.expect_err("closed");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CHANNEL_CLOSED))
    );
    assert!(!status.was_processed());
    assert!(matches!(call.body, Body::Value(_)), "the call can go elsewhere");
    Ok(())
}

#[tokio::test]
async fn methods_made_at_run_time_are_found() -> Result<()> {
    let channel = Numbers::new().channel();
    let method = MethodDescriptor::shared("test.v1.Numbers", "One", Shape::Unary).expect("legal names");
    let mut bytes = BytesMut::new();
    MessageCodec::of::<Json>().encode(&4_u32, &mut bytes)?;
    let encoded = Encoded {
        bytes: bytes.freeze(),
    };
    let mut call = Call::new(Method::from(method), "json", Body::Encoded(encoded));
    let mut reply = channel.pipeline().call(&mut call).await?;
    let Body::Boxed(value) = &mut reply.body else {
        panic!("{:?}", reply.body)
    };
    let mut bytes = BytesMut::new();
    value.encode(&mut bytes)?;
    assert_eq!(&bytes[..], b"8");
    Ok(())
}
