//! Load reports of a server that is asked over sockets, and in process.

use std::time::Duration;

use rpc::{
    Channel, Client, Code, MethodDescriptor, Request, Response, Result, ServerBuilder, Shape, Status,
    Streaming, client,
    codec::{MessageCodec, MethodTypes, MsgPack},
    load::{
        LoadReport, TRAILER,
        wire::{OrcaLoadReport, OrcaLoadReportRequest, STREAM_CORE_METRICS},
    },
    server::{LoadReporter, LoadReporterConfig, Service, server_streaming, unary},
    stage::Hook,
    transport::LocalTransport,
};

use super::support::{Running, in_time, target};

static METHODS: [MethodDescriptor; 2] = [
    MethodDescriptor::new("/test.v1.Echo/One", Shape::Unary).codecs(&["msgpack"]),
    MethodDescriptor::new("/test.v1.Echo/Many", Shape::ServerStreaming).codecs(&["msgpack"]),
];
static ECHO: rpc::ServiceDescriptor = rpc::ServiceDescriptor::new("test.v1.Echo", &METHODS);
static NUMBER: [MessageCodec<u32>; 1] = [MessageCodec::of::<MsgPack>()];
static ONE: MethodTypes<u32, u32> = MethodTypes::new(&METHODS[0], &NUMBER, &NUMBER);
static MANY: MethodTypes<u32, u32> = MethodTypes::new(&METHODS[1], &NUMBER, &NUMBER);

/// Answers with what it is asked; 0 fails.
struct Echo;

impl Service for Echo {
    fn descriptor(&self) -> &'static rpc::ServiceDescriptor {
        &ECHO
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut rpc::Call<'_>) -> rpc::CallFuture<'a> {
        let checked = |number| match number {
            0 => Err(Status::internal("nothing to say")),
            number => Ok(number),
        };
        match method {
            0 => unary(&ONE, call, async move |request| {
                checked(request.into_inner()).map(Response::new)
            }),
            _ => server_streaming(&MANY, call, async move |request| {
                let number = request.into_inner();
                let items = (0..number.max(1)).map(move |_| checked(number));
                Ok(Response::new(Streaming::new(tokio_stream(items))))
            }),
        }
    }
}

fn tokio_stream<T: Send + 'static>(
    items: impl Iterator<Item = Result<T>> + Send + 'static,
) -> impl futures_core::Stream<Item = Result<T>> + Send {
    futures_util::stream::iter(items)
}

fn reporter() -> LoadReporter {
    let mut config = LoadReporterConfig::default();
    // Nothing here waits for a time to pass, but the shorter it is the sooner a report is there.
    config.interval = Duration::from_millis(10);
    config.min_stream_interval = Duration::from_millis(10);
    LoadReporter::with_config(config)
}

fn server(load: &LoadReporter) -> ServerBuilder {
    rpc::Server::builder()
        .add_service(Echo)
        .report_load(load.clone())
        .without_signals()
        .notice(Duration::ZERO)
}

fn channel(running: &Running, framed: bool) -> Channel {
    Client::builder()
        .target(target(&running.addresses[0]))
        .prefer_framed(framed)
        .build()
        .unwrap()
        .into()
}

async fn one(channel: &Channel, number: u32) -> Option<LoadReport> {
    let trailers = match in_time(client::unary(channel, &ONE, Request::new(number))).await {
        Ok(response) => response.trailers().clone(),
        Err(status) => {
            assert_eq!((number, status.code()), (0, Code::Internal), "{status}");
            status.metadata().clone()
        }
    };
    LoadReport::from_trailers(&trailers).map(|report| report.unwrap())
}

async fn many(channel: &Channel, number: u32) -> Option<LoadReport> {
    // A stream that fails at once may fail before it was opened, or after it.
    let read = async {
        let call = client::server_streaming(channel, &MANY, Request::new(number));
        let mut stream = call.await?.into_inner();
        while stream.message().await?.is_some() {}
        Ok(stream.trailers().clone())
    };
    let trailers = in_time(read).await.unwrap_or_else(|status: Status| {
        assert_eq!((number, status.code()), (0, Code::Internal), "{status}");
        status.metadata().clone()
    });
    LoadReport::from_trailers(&trailers).map(|report| report.unwrap())
}

/// Every kind of answer says how busy the server is.
async fn all_answers_report(channel: &Channel, load: &LoadReporter) {
    load.set_utilization("gpu", 0.7).unwrap();
    in_time(async {
        while one(channel, 1).await.is_none() {
            // In process a call waits for nothing; the server has to have its turn.
            tokio::task::yield_now().await;
        }
    })
    .await;
    for report in [
        one(channel, 1).await,
        one(channel, 0).await,
        many(channel, 3).await,
        many(channel, 0).await,
    ] {
        let report = report.expect("there is a report");
        assert_eq!(report.utilization("gpu"), Some(0.7));
        assert!(report.cores().is_some_and(|cores| cores > 0.0), "{report:?}");
        assert!(report.in_flight().is_some(), "{report:?}");
        if cfg!(target_os = "linux") {
            assert!(report.mem_utilization() > 0.0, "{report:?}");
        }
    }
}

#[tokio::test]
async fn answers_over_grpc_report() {
    let load = reporter();
    let running = Running::start(server(&load)).await;
    all_answers_report(&channel(&running, false), &load).await;
    running.stop().await;
}

#[cfg(feature = "framed")]
#[tokio::test]
async fn answers_over_the_framed_protocol_report() {
    let load = reporter();
    let running = Running::start(server(&load)).await;
    all_answers_report(&channel(&running, true), &load).await;
    running.stop().await;
}

#[tokio::test]
async fn answers_in_process_report_while_the_server_serves() {
    let load = reporter();
    let server = server(&load).build().unwrap();
    let channel = Channel::new(LocalTransport::new(server.dispatch()));
    let running = Running::serve(server.bind("127.0.0.1:0").await.unwrap());
    all_answers_report(&channel, &load).await;
    running.stop().await;
}

#[tokio::test]
async fn without_a_reporter_nothing_is_said() {
    let server = rpc::Server::builder().add_service(Echo).without_signals();
    let running = Running::start(server.notice(Duration::ZERO)).await;
    let channel = channel(&running, false);
    let response = in_time(client::unary(&channel, &ONE, Request::new(1)))
        .await
        .unwrap();
    assert!(response.trailers().is_empty());
    let asked = Request::new(OrcaLoadReportRequest::default());
    let status = async {
        let mut stream = client::server_streaming(&channel, &STREAM_CORE_METRICS, asked)
            .await?
            .into_inner();
        stream.message().await.map(drop)
    };
    assert_eq!(in_time(status).await.unwrap_err().code(), Code::Unimplemented);
    running.stop().await;
}

/// Refuses everything.
struct Closed;

impl Hook for Closed {
    fn before(&self, _: &mut rpc::Call<'_>) -> Result<()> {
        Err(Status::resource_exhausted("closed"))
    }
}

#[tokio::test]
async fn what_hooks_refuse_is_load() {
    let load = reporter();
    let running = Running::start(server(&load).hook(Closed)).await;
    let channel = channel(&running, false);
    in_time(async {
        loop {
            let refused = client::unary(&channel, &ONE, Request::new(1)).await.unwrap_err();
            let report = LoadReport::from_trailers(refused.metadata()).map(|report| report.unwrap());
            if report.is_some_and(|report| report.eps() > 0.0) {
                return;
            }
        }
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn reports_are_streamed_until_the_server_stops() {
    let load = reporter();
    let running = Running::start(server(&load)).await;
    let channel = channel(&running, false);
    let asked = Request::new(OrcaLoadReportRequest::every(Duration::from_millis(1)));
    let call = client::server_streaming(&channel, &STREAM_CORE_METRICS, asked);
    let mut stream = in_time(call).await.unwrap().into_inner();
    load.set_named_metric("queue", 3.0).unwrap();
    let report = async |stream: &mut Streaming<OrcaLoadReport>| {
        let message = in_time(stream.message()).await.unwrap().unwrap();
        LoadReport::from_message(message).unwrap()
    };
    in_time(async { while report(&mut stream).await.named_metric("queue") != Some(3.0) {} }).await;
    let stop = async {
        let ended = loop {
            if let Err(status) = in_time(stream.message()).await {
                break status;
            }
        };
        assert_eq!(
            (ended.code(), ended.reason()),
            (Code::Unavailable, Some("DRAINING")),
            "{ended}"
        );
    };
    tokio::join!(running.stop(), stop);
}

/// The trailer is what other implementations look for.
#[test]
fn the_key_is_the_one_that_grpc_has() {
    assert_eq!(TRAILER, "endpoint-load-metrics-bin");
}
