//! Giving calls up, and what that reaches.

use std::{future::pending, time::Duration};

use rpc_core::{
    Call, Channel, Code, Context, Reply, Request, Response, Result, Stage, Status, Streaming, client,
    context::spawn, server::Dispatch, stage::SharedStage, status::reason, transport::LocalTransport,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::support::{
    COUNT, Numbers, ONE, Pending, collect, count, one, relay, router, soon, sum, tell_when_given_up,
};

/// A channel whose handler reports its context and then never answers.
fn stuck() -> (Channel, mpsc::UnboundedReceiver<oneshot::Receiver<()>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let channel = Numbers::new().on_one(move |_| {
        let tell = tell.clone();
        async move {
            tell.send(tell_when_given_up(&Context::current()))
                .expect("it is waited for");
            pending().await
        }
    });
    (channel.channel(), told)
}

#[tokio::test]
async fn dropping_a_call_gives_its_work_up() {
    let (channel, mut told) = stuck();
    let call = tokio::spawn(async move { one(&channel, 1).await });
    let given_up = soon(told.recv()).await.expect("the handler ran");
    call.abort();
    soon(given_up).await.expect("its context was given up");
}

#[tokio::test]
async fn it_cascades_to_calls_below() {
    let (below, mut told) = stuck();
    let above = Numbers::new()
        .on_one(move |_| {
            let below = below.clone();
            async move { one(&below, 1).await.map(Response::new) }
        })
        .channel();
    let call = tokio::spawn(async move { one(&above, 1).await });
    let given_up = soon(told.recv()).await.expect("the inner handler ran");
    call.abort();
    soon(given_up).await.expect("the inner call was given up");
}

#[tokio::test]
async fn it_reaches_spawned_work_and_its_calls() {
    let (below, mut told) = stuck();
    let (tell_outcome, outcome) = oneshot::channel();
    let tell_outcome = std::sync::Mutex::new(Some(tell_outcome));
    let above = Numbers::new()
        .on_one(move |_| {
            let below = below.clone();
            let work = spawn(async move { one(&below, 1).await });
            let tell = tell_outcome
                .lock()
                .expect("no panic")
                .take()
                .expect("called once");
            tokio::spawn(async move { tell.send(work.await.expect("no panic")) });
            pending()
        })
        .channel();
    let call = tokio::spawn(async move { one(&above, 1).await });
    let given_up = soon(told.recv()).await.expect("the inner handler ran");
    call.abort();
    soon(given_up).await.expect("the inner call was given up");
    let status = soon(outcome).await.expect("it was told").expect_err("given up");
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test]
async fn spawned_work_outlives_a_call_that_ended_well() -> Result<()> {
    let (go, may_go) = oneshot::channel::<()>();
    let (tell, mut told) = mpsc::unbounded_channel();
    let may_go = std::sync::Mutex::new(Some(may_go));
    let channel = Numbers::new()
        .on_one(move |request| {
            let may_go = may_go.lock().expect("no panic").take().expect("called once");
            let work = spawn(async move {
                may_go.await.expect("it is let go");
                Context::current().deadline().is_some()
            });
            tell.send(work).expect("it is waited for");
            async move { Ok(Response::new(request.into_inner())) }
        })
        .channel();
    let request = Request::new(1).with_timeout(Duration::from_mins(10));
    client::unary(&channel, &ONE, request).await?;
    go.send(()).expect("the work waits");
    let work = told.recv().await.expect("it was spawned");
    assert!(
        soon(work).await.expect("no panic")?,
        "it runs in the context of its call"
    );
    Ok(())
}

#[tokio::test]
async fn a_context_that_is_given_up_ends_its_calls() -> Result<()> {
    let (channel, mut told) = stuck();
    let context = Context::new();
    let call = tokio::spawn({
        let request = Request::new(1).with_context(context.clone());
        let channel = channel.clone();
        async move { client::unary(&channel, &ONE, request).await }
    });
    let given_up = soon(told.recv()).await.expect("the handler ran");
    context.cancellation().cancel();
    let status = soon(call).await.expect("no panic").expect_err("given up");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Cancelled, Some(reason::CALLER_GONE))
    );
    soon(given_up).await.expect("the handler's context was given up");

    // A stream as well, while it is read.
    let (sender, stream) = Streaming::channel(1);
    let stream = std::sync::Mutex::new(Some(stream));
    let channel = Numbers::new()
        .on_count(move |_| {
            let stream = stream.lock().expect("no panic").take().expect("called once");
            async { Ok(Response::new(stream)) }
        })
        .channel();
    let context = Context::new();
    let request = Request::new(1).with_context(context.clone());
    let mut stream = client::server_streaming(&channel, &COUNT, request)
        .await?
        .into_inner();
    sender.send(1).await.expect("it is read");
    assert_eq!(stream.message().await?, Some(1));
    context.cancellation().cancel();
    assert_eq!(
        soon(stream.message()).await.expect_err("given up").code(),
        Code::Cancelled
    );
    soon(sender.closed()).await;
    Ok(())
}

#[tokio::test]
async fn a_call_does_not_give_its_callers_context_up() -> Result<()> {
    let context = Context::new();
    let kept = context.clone();
    let channel = Numbers::new()
        .on_one(|_| async { panic!("in the handler") })
        .channel();
    context
        .scope(async {
            let status = one(&channel, 1).await.expect_err("it panicked");
            assert_eq!(status.code(), Code::Internal);
        })
        .await;
    assert!(!kept.cancellation().is_cancelled());
    Ok(())
}

#[tokio::test]
async fn dropping_a_response_stream_gives_the_call_up() -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_count(move |_| {
            tell.send(tell_when_given_up(&Context::current()))
                .expect("it is waited for");
            async { Ok(Response::new(Streaming::from_iter(0..))) }
        })
        .channel();
    let mut stream = count(&channel, 1).await?;
    assert_eq!(stream.message().await?, Some(0));
    let mut given_up = told.recv().await.expect("the handler ran");
    assert!(given_up.try_recv().is_err(), "it goes on while it is read");
    drop(stream);
    soon(given_up).await.expect("its context was given up");

    // So does a response that nobody looks at.
    drop(count(&channel, 1).await?);
    soon(told.recv().await.expect("the handler ran"))
        .await
        .expect("its context was given up");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_ends_well_gives_nothing_up() -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_count(move |request| {
            tell.send(Context::current()).expect("it is waited for");
            async move { Ok(Response::new(Streaming::from_iter(0..request.into_inner()))) }
        })
        .channel();
    assert_eq!(collect(count(&channel, 2).await?).await?, [0, 1]);
    let context = told.recv().await.expect("the handler ran");
    assert!(!context.cancellation().is_cancelled());
    Ok(())
}

/// What a handler reads that moved its request stream into a task of its own.
fn reader(stream: Streaming<u32>) -> tokio::task::JoinHandle<Result<Vec<u32>>> {
    tokio::spawn(collect(stream))
}

#[tokio::test]
async fn a_request_stream_ends_with_an_error_when_the_call_is_dropped() -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_sum({
            let tell = tell.clone();
            move |request| {
                tell.send(reader(request.into_inner())).expect("it is waited for");
                pending()
            }
        })
        .on_relay(move |request| {
            tell.send(reader(request.into_inner())).expect("it is waited for");
            async { Ok(Response::new(Streaming::from_iter(0..))) }
        })
        .channel();

    let gone = |status: Status| {
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Cancelled, Some(reason::CALLER_GONE))
        );
    };
    // The sender stays, so there is no end of the stream to be seen.
    let (sender, stream) = Streaming::channel(4);
    let call = tokio::spawn({
        let channel = channel.clone();
        async move { sum(&channel, stream).await }
    });
    sender.send(1).await.expect("it is read");
    let read = soon(told.recv()).await.expect("the handler ran");
    call.abort();
    gone(soon(read).await.expect("no panic").expect_err("given up"));
    soon(sender.closed()).await;

    let (sender, stream) = Streaming::channel(4);
    let responses = relay(&channel, stream).await?;
    sender.send(1).await.expect("it is read");
    let read = soon(told.recv()).await.expect("the handler ran");
    drop(responses);
    gone(soon(read).await.expect("no panic").expect_err("given up"));
    soon(sender.closed()).await;
    Ok(())
}

#[tokio::test]
async fn what_is_left_of_a_request_stream_is_not_read_after_the_answer() -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_sum(move |request| {
            tell.send(reader(request.into_inner())).expect("it is waited for");
            async { Ok(Response::new(7)) }
        })
        .channel();
    let (sender, stream) = Streaming::channel(4);
    assert_eq!(sum(&channel, stream).await?, 7);
    let read = told.recv().await.expect("the handler ran");
    assert_eq!(
        soon(read).await.expect("no panic").expect_err("over").code(),
        Code::Cancelled
    );
    soon(sender.closed()).await;
    Ok(())
}

/// A layer that is still at work after the handler answered.
struct Lingers<S>(S);

impl<S: Stage> Stage for Lingers<S> {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        let reply = self.0.call(call).await;
        pending::<()>().await;
        reply
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_request_stream_is_not_read_after_an_answer_that_nobody_waited_for() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let numbers = Numbers::new().on_sum(move |request| {
        tell.send(reader(request.into_inner())).expect("it is waited for");
        async { Ok(Response::new(7)) }
    });
    let dispatch = Dispatch::with_pipeline(router(numbers), |router| SharedStage::new(Lingers(router)));
    let channel = Channel::new(LocalTransport::new(dispatch));
    let (sender, stream) = Streaming::channel(4);
    let dropped = timeout(Duration::from_millis(50), sum(&channel, stream)).await;
    assert!(dropped.is_err(), "the layer holds the answer back");
    let read = told.recv().await.expect("the handler ran");
    let status = soon(read).await.expect("no panic").expect_err("over");
    assert_eq!(status.code(), Code::Cancelled);
    soon(sender.closed()).await;
}

#[tokio::test]
async fn a_request_stream_that_fails_ends_its_call() -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let channel = Numbers::new()
        .on_sum({
            let tell = tell.clone();
            move |request| {
                let tell = tell.clone();
                async move {
                    let outcome = collect(request.into_inner()).await;
                    tell.send(outcome.as_ref().expect_err("it failed").code())
                        .expect("it is waited for");
                    // On a wire nobody hears this: the call was reset.
                    outcome.map(|_| Response::new(0))
                }
            }
        })
        .on_relay(move |request| {
            let tell = tell.clone();
            let outcome = reader(request.into_inner());
            tokio::spawn(async move {
                let status = outcome.await.expect("no panic").expect_err("it failed");
                tell.send(status.code())
            });
            async { Ok(Response::new(Streaming::new(Pending))) }
        })
        .channel();

    let (sender, stream) = Streaming::channel(4);
    sender.send(1).await.expect("there is room");
    sender.fail(Status::data_loss("the file is cut off"));
    let status = soon(sum(&channel, stream)).await.expect_err("its stream failed");
    assert_eq!(
        (status.code(), status.message()),
        (Code::DataLoss, "the file is cut off")
    );
    assert_eq!(
        told.recv().await,
        Some(Code::Cancelled),
        "the handler reads what a reset gives"
    );

    let (sender, stream) = Streaming::channel(4);
    let mut responses = relay(&channel, stream).await?;
    sender.fail(Status::data_loss("the file is cut off"));
    let status = soon(responses.message())
        .await
        .expect_err("the request stream failed");
    assert_eq!(status.code(), Code::DataLoss);
    assert_eq!(soon(told.recv()).await, Some(Code::Cancelled));
    Ok(())
}

#[tokio::test]
async fn cancellation_is_heard_by_who_waits() {
    let context = Context::new();
    let cancellation = context.cancellation();
    assert!(!cancellation.is_cancelled());
    assert_eq!(cancellation.run_until_cancelled(async { 1 }).await, Some(1));
    let waits = tokio::spawn({
        let context = context.clone();
        async move { context.cancellation().run_until_cancelled(pending::<()>()).await }
    });
    cancellation.cancel();
    assert_eq!(soon(waits).await.expect("no panic"), None);
    soon(cancellation.cancelled()).await;
    assert!(
        !context.child().cancellation().is_cancelled(),
        "a call from here is given up by dropping it"
    );
}
