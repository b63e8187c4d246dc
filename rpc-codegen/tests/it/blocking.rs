//! The blocking twin: calls from threads without a runtime.

use std::time::Duration;

use rpc::{
    CallOptions, Code, Context, Request, Response, Result, Status, Streaming, blocking::Blocking,
    context::Lane, status::reason,
};

use crate::support::channel;

#[rpc_codegen::service(package = "test", blocking)]
pub(crate) trait Clock {
    /// Waits for some milliseconds of the runtime's clock.
    async fn wait(&self, ms: u64) -> Result<u64>;
    async fn lane(&self, request: Request<()>) -> Result<Response<Option<String>>>;
    async fn ticks(&self, count: u32) -> Result<Streaming<u32>>;
    async fn ticks_full(&self, count: u32) -> Result<Response<Streaming<u32>>>;
    async fn sum(&self, numbers: Streaming<u32>) -> Result<u32>;
    async fn echo(&self, numbers: Streaming<u32>) -> Result<Streaming<u32>>;
}

struct Local;

impl Clock for Local {
    async fn wait(&self, ms: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(ms)
    }

    async fn lane(&self, _: Request<()>) -> Result<Response<Option<String>>> {
        Ok(Response::new(Context::current().lane().map(ToString::to_string)))
    }

    async fn ticks(&self, count: u32) -> Result<Streaming<u32>> {
        let (sender, stream) = Streaming::channel(1);
        tokio::spawn(async move {
            for tick in 0..count {
                if sender.send(tick).await.is_err() {
                    return;
                }
            }
            sender.fail(Status::out_of_range("no more"));
        });
        Ok(stream)
    }

    async fn ticks_full(&self, count: u32) -> Result<Response<Streaming<u32>>> {
        self.ticks(count).await.map(Response::new)
    }

    async fn sum(&self, mut numbers: Streaming<u32>) -> Result<u32> {
        let mut sum = 0;
        while let Some(number) = numbers.message().await? {
            sum += number;
        }
        Ok(sum)
    }

    async fn echo(&self, numbers: Streaming<u32>) -> Result<Streaming<u32>> {
        Ok(numbers)
    }
}

fn stub(blocking: &Blocking) -> ClockBlockingClient {
    ClockBlockingClient::new(channel(ClockServer::new(Local)), blocking)
}

fn runtime() -> Blocking {
    Blocking::new().expect("the system has a thread for us")
}

#[test]
fn calls_wait_for_timers_and_end_with_results() {
    let clock = stub(&runtime());
    assert_eq!(clock.wait(1).expect("it answers"), 1);
    let clock = clock.with_options(CallOptions::new().with_timeout(Duration::from_millis(1)));
    assert_eq!(
        clock.wait(600_000).expect_err("it is too slow").code(),
        Code::DeadlineExceeded
    );
}

#[test]
fn streams_are_iterators() {
    let clock = stub(&runtime());
    let mut ticks = clock.ticks(2).expect("it starts");
    assert_eq!(ticks.next().and_then(Result::ok), Some(0));
    assert_eq!(ticks.next().and_then(Result::ok), Some(1));
    let end = ticks.next().and_then(Result::err).expect("it fails");
    assert_eq!(end.code(), Code::OutOfRange);
    assert!(ticks.next().is_none());
    let response = clock.ticks_full(1).expect("it starts");
    assert_eq!(
        response.into_inner().filter_map(Result::ok).collect::<Vec<_>>(),
        [0]
    );
}

#[test]
fn streams_are_sent_from_values_and_from_threads() {
    let blocking = runtime();
    let clock = stub(&blocking);
    assert_eq!(clock.sum(Streaming::from_iter([1, 2, 3])).expect("it answers"), 6);
    let (sender, stream) = blocking.channel(1);
    let feeder = std::thread::spawn(move || (0..100).try_for_each(|number| sender.send(number)));
    assert_eq!(clock.sum(stream).expect("it answers"), 4950);
    feeder
        .join()
        .expect("it does not panic")
        .expect("the stream was read");

    let (sender, stream) = blocking.channel(1);
    let mut echo = clock.echo(stream).expect("it starts");
    sender.send(7).expect("the stream is read");
    assert_eq!(echo.next().and_then(Result::ok), Some(7));
    drop(echo);
    assert_eq!(
        sender.send(8).expect_err("nobody reads it").code(),
        Code::Cancelled
    );
}

#[test]
fn the_context_of_the_thread_is_carried_on() {
    let clock = stub(&runtime());
    let context = Context::new().with_lane(Lane::new("blue").expect("it is a lane"));
    let lane = context.enter(|| clock.lane(Request::new(())));
    assert_eq!(lane.expect("it answers").into_inner().as_deref(), Some("blue"));
}

fn assert_refused(status: &Status) {
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.reason(), Some(reason::BLOCKING_IN_ASYNC));
}

#[tokio::test]
async fn inside_of_async_code_it_is_refused() {
    let clock = stub(&runtime());
    assert_refused(&clock.wait(1).expect_err("it would block"));
    let task = tokio::spawn(async move {
        for _ in 0..200 {
            assert_refused(&clock.wait(1).expect_err("it would block"));
        }
    });
    task.await.expect("it does not panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_of_spawn_blocking_it_works() {
    let clock = stub(&runtime());
    let waited = tokio::task::spawn_blocking(move || clock.wait(1))
        .await
        .expect("it does not panic");
    assert_eq!(waited.expect("it answers"), 1);
}

#[test]
fn the_runtime_may_be_dropped_anywhere() {
    let blocking = runtime();
    let clock = stub(&blocking);
    let ticks = clock.ticks(10).expect("it starts");
    drop((blocking, clock));
    let own = tokio::runtime::Runtime::new().expect("the system has threads");
    own.block_on(async move { drop(ticks) });
}

#[test]
fn a_probe_takes_nothing_from_the_task() {
    let own = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system has a queue");
    let clock = stub(&runtime());
    own.block_on(async move {
        assert_refused(&clock.wait(1).expect_err("it would block"));
        assert!(tokio::task::coop::has_budget_remaining());
    });
}
