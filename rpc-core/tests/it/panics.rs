//! A panic fails its call, and nothing else.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use futures_core::Stream;
use rpc_core::{
    Call, Channel, Code, Context, Reply, Response, Result, Stage, Status, Streaming,
    context::spawn,
    server::Dispatch,
    stage::SharedStage,
    status::{Side, reason},
    transport::LocalTransport,
};
use tokio::sync::mpsc;

use crate::support::{Numbers, collect, count, one, relay, router, soon, sum, tell_when_given_up};

fn assert_panicked(status: &Status) {
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Internal, Some(reason::HANDLER_PANICKED))
    );
    assert!(
        !status.message().contains("secret"),
        "the text stays in the process: {status}"
    );
    assert!(status.was_processed() && !status.is_retryable());
}

#[tokio::test]
async fn in_a_handler() -> Result<()> {
    let channel = Numbers::new()
        .on_one(|request| async move {
            assert!(*request.message() < 5, "secret {}", request.message());
            Ok(Response::new(0))
        })
        .channel();
    assert_panicked(&one(&channel, 9).await.expect_err("it panicked"));
    assert_eq!(one(&channel, 1).await?, 0, "the service goes on");
    Ok(())
}

#[tokio::test]
async fn while_the_future_is_made() {
    #[allow(clippy::unused_async, reason = "the panic is outside of the future")]
    async fn never() -> Result<Response<u32>> {
        Ok(Response::new(1))
    }
    let channel = Numbers::new()
        .on_one(|request| {
            assert!(*request.message() == 0, "secret");
            never()
        })
        .channel();
    assert_panicked(&one(&channel, 9).await.expect_err("it panicked"));
}

#[tokio::test]
async fn it_gives_the_work_of_the_call_up() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_one(move |_| {
            let tell = tell.clone();
            async move {
                drop(spawn(std::future::pending::<()>()));
                tell.send(tell_when_given_up(&Context::current()))
                    .expect("it is waited for");
                panic!("secret")
            }
        })
        .channel();
    assert_panicked(&one(&channel, 1).await.expect_err("it panicked"));
    soon(told.recv().await.expect("the handler ran"))
        .await
        .expect("its context was given up");
}

/// Yields one message, then panics.
struct Broken(bool);

impl Stream for Broken {
    type Item = Result<u32>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        assert!(!std::mem::replace(&mut self.0, true), "secret");
        Poll::Ready(Some(Ok(1)))
    }
}

#[tokio::test]
async fn in_a_response_stream() -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_count(move |_| {
            tell.send(tell_when_given_up(&Context::current()))
                .expect("it is waited for");
            async { Ok(Response::new(Streaming::new(Broken(false)))) }
        })
        .channel();
    let mut stream = count(&channel, 1).await?;
    assert_eq!(stream.message().await?, Some(1));
    assert_panicked(&stream.message().await.expect_err("it panicked"));
    assert!(stream.message().await?.is_none());
    soon(told.recv().await.expect("the handler ran"))
        .await
        .expect("its context was given up");
    Ok(())
}

#[tokio::test]
async fn in_a_request_stream() -> Result<()> {
    let channel = Numbers::new().channel();
    let status = sum(&channel, Streaming::new(Broken(false)))
        .await
        .expect_err("it panicked");
    // It is not the handler's, and whoever reads the text wrote it.
    assert_eq!(
        (status.code(), status.place().side()),
        (Code::Internal, Some(Side::Client))
    );
    assert!(status.message().contains("secret"), "{status}");

    let mut stream = relay(&channel, Streaming::new(Broken(false))).await?;
    assert_eq!(stream.message().await?, Some(1));
    let status = stream.message().await.expect_err("it panicked");
    assert_eq!(
        (status.code(), status.place().side()),
        (Code::Internal, Some(Side::Client))
    );
    Ok(())
}

#[tokio::test]
async fn in_a_layer_of_the_server() -> Result<()> {
    struct Broken<S>(S);

    impl<S: Stage> Stage for Broken<S> {
        async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
            assert!(call.metadata.is_empty(), "secret");
            self.0.call(call).await
        }
    }

    let dispatch = Dispatch::with_pipeline(router(Numbers::new()), |router| SharedStage::new(Broken(router)));
    let channel = Channel::new(LocalTransport::new(dispatch));
    assert_eq!(one(&channel, 1).await?, 2);
    let mut request = rpc_core::Request::new(1);
    request.metadata_mut().insert("x-any", "1").expect("legal");
    let status = rpc_core::client::unary(&channel, &crate::support::ONE, request)
        .await
        .expect_err("it panicked");
    assert_panicked(&status);
    Ok(())
}

#[tokio::test]
async fn streams_run_in_the_context_of_their_sender() -> Result<()> {
    /// Yields the milliseconds left to whoever polls it, over and over.
    fn told(streams: u32) -> Streaming<u32> {
        Streaming::from_iter((0..streams).map(|_| u32::from(Context::current().deadline().is_some())))
    }
    let channel = Numbers::new()
        .on_count(|_| async { Ok(Response::new(told(2))) })
        .channel();
    let request = rpc_core::Request::new(1).with_timeout(std::time::Duration::from_mins(10));
    let stream = rpc_core::client::server_streaming(&channel, &crate::support::COUNT, request)
        .await?
        .into_inner();
    assert_eq!(
        collect(stream).await?,
        [1, 1],
        "a response stream runs in the handler's"
    );

    let request = rpc_core::Request::new(told(2)).with_timeout(std::time::Duration::from_mins(10));
    let stream = rpc_core::client::bidi(&channel, &crate::support::RELAY, request)
        .await?
        .into_inner();
    assert_eq!(
        collect(stream).await?,
        [0, 0],
        "a request stream runs in the caller's"
    );
    Ok(())
}
