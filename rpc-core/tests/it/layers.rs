//! Tower layers of other people, in a slot of the pipeline.

use std::{future::pending, time::Duration};

use rpc_core::{
    Body, Call, Channel, Code, Deadline, OwnedCall, Request, Response, Result, Stage, Status, client,
    codec::{MessageCodec, MsgPack},
    message::{Encoded, Typed},
    stage::{Owned, SharedStage, UserLayer},
    transport::LocalTransport,
};
use tower::{
    Service, ServiceExt, limit::ConcurrencyLimitLayer, timeout::TimeoutLayer, util::MapRequestLayer,
};

use crate::support::{COUNT, Numbers, ONE, collect, one, sum};

fn behind(layer: &UserLayer, numbers: Numbers) -> Channel {
    Channel::new(layer.wrap(SharedStage::new(LocalTransport::new(numbers.dispatch()))))
}

#[tokio::test(start_paused = true)]
async fn towers_timeout() -> Result<()> {
    let layer = UserLayer::new(TimeoutLayer::new(Duration::from_secs(1)));
    assert_eq!(one(&behind(&layer, Numbers::new()), 2).await?, 4);

    let status = one(&behind(&layer, Numbers::new().on_one(|_| pending())), 2)
        .await
        .expect_err("late");
    assert_eq!(
        status.code(),
        Code::Unknown,
        "an error that is no status says nothing of the call"
    );
    assert!(std::error::Error::source(&status).is_some());

    let failing = Numbers::new().on_one(|_| async { Err(Status::not_found("no such number")) });
    let status = one(&behind(&layer, failing), 2).await.expect_err("not found");
    assert_eq!(status.code(), Code::NotFound, "a status comes through as it is");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_reserves_when_it_is_ready() {
    let layer = UserLayer::new(ConcurrencyLimitLayer::new(1));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let numbers = Numbers::new().on_one(move |request| {
        let (go, may_go) = tokio::sync::oneshot::channel::<()>();
        tell.send(go).expect("it is waited for");
        async move {
            may_go.await.expect("it is let go");
            Ok(Response::new(request.into_inner()))
        }
    });
    let channel = behind(&layer, numbers);
    let call = |number| {
        let channel = channel.clone();
        tokio::spawn(async move { one(&channel, number).await })
    };
    let (first, second) = (call(1), call(2));
    let go = told.recv().await.expect("one handler runs");
    // The clock only moves on once nobody can do anything.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(told.try_recv().is_err(), "the other one waits");

    // Whoever waits for a place is bound by its deadline all the same.
    let request = Request::new(3).with_timeout(Duration::from_secs(1));
    let status = client::unary(&channel, &ONE, request).await.expect_err("late");
    assert_eq!(status.code(), Code::DeadlineExceeded);

    go.send(()).expect("the first handler waits");
    told.recv()
        .await
        .expect("the second handler runs")
        .send(())
        .expect("it waits");
    let mut numbers = [
        first.await.expect("no panic").expect("ok"),
        second.await.expect("no panic").expect("ok"),
    ];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn streams_pass_through_layers() -> Result<()> {
    let mark = |mut call: OwnedCall| {
        call.metadata.insert("x-layer", "seen").expect("legal");
        call
    };
    let layer = UserLayer::new(MapRequestLayer::new(mark));
    let numbers = Numbers::new().on_count(|request| async move {
        assert_eq!(request.metadata().get("x-layer"), Some("seen"));
        Ok(Response::new(rpc_core::Streaming::from_iter(
            0..request.into_inner(),
        )))
    });
    let channel = behind(&layer, numbers);
    let stream = client::server_streaming(&channel, &COUNT, Request::new(3))
        .await?
        .into_inner();
    assert_eq!(collect(stream).await?, [0, 1, 2]);
    assert_eq!(sum(&channel, rpc_core::Streaming::from_iter([1, 2])).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_layer_may_send_a_call_again() -> Result<()> {
    // The retry of a user needs a body that can be cloned: encoded, it can.
    let stage = LocalTransport::new(Numbers::new().dispatch());
    let mut service = Owned::new(stage);
    for _ in 0..2 {
        let mut bytes = bytes::BytesMut::new();
        MessageCodec::of::<MsgPack>().encode(&3_u32, &mut bytes)?;
        let body = Body::Encoded(Encoded {
            bytes: bytes.freeze(),
        });
        let reply = service
            .ready()
            .await?
            .call(Call::new(ONE.method(), "msgpack", body))
            .await?;
        assert!(matches!(reply.body, Body::Boxed(_)));
    }
    Ok(())
}

#[tokio::test]
async fn an_owned_call_leaves_the_bound_behind() {
    let mut value = Typed::new(5_u32, MessageCodec::of::<MsgPack>());
    let mut call = Call::new(ONE.method(), "msgpack", Body::Value(&mut value));
    let deadline = Deadline::after(Duration::from_mins(10));
    call.context = call.context.with_deadline(deadline);
    call.metadata.insert("x-tenant", "acme").expect("legal");
    let owned = call.take_owned();
    assert_eq!(owned.context.deadline(), Some(deadline));
    assert_eq!(owned.metadata.get("x-tenant"), Some("acme"));
    assert!(matches!(owned.body, Body::Boxed(_)));
    assert_eq!(call.context.deadline(), Some(deadline));
    assert!(call.metadata.is_empty() && matches!(call.body, Body::Empty));
}

#[tokio::test]
async fn a_stage_is_a_tower_service() -> Result<()> {
    let channel = Channel::new(SharedStage::new(LocalTransport::new(Numbers::new().dispatch())));
    let stage: &dyn rpc_core::ErasedStage = channel.pipeline();
    let mut value = Typed::new(5_u32, MessageCodec::of::<MsgPack>());
    let mut call = Call::new(ONE.method(), "msgpack", Body::Value(&mut value));
    assert!(stage.call_erased(&mut call).await.is_ok());
    assert!(
        (&channel.pipeline())
            .call(&mut Call::new(ONE.method(), "msgpack", Body::Empty))
            .await
            .is_err()
    );
    Ok(())
}
