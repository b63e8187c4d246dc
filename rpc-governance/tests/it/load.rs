//! Load reports: what is counted, what is measured, and which answers say so. Time stands still, and so does the machine.

use std::{sync::Arc, time::Duration};

use rpc_core::{
    Call, CallFuture, Channel, Code, Metadata, MethodDescriptor, Request, Response, Result,
    ServiceDescriptor, Shape, Status, Streaming, client,
    codec::{Json, MessageCodec, MethodTypes},
    load::{LoadReport, TRAILER},
    server::{Dispatch, Router, Service, server_streaming, unary},
    stage::Hook,
    transport::LocalTransport,
};
use rpc_governance::server::load::{LoadReporter, LoadReporterConfig, machine::Machine};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
/// A half of the interval: between two reports.
const HALF: Duration = Duration::from_millis(250);

static METHODS: [MethodDescriptor; 2] = [
    MethodDescriptor::new("/test.Shop/Buy", Shape::Unary),
    MethodDescriptor::new("/test.Shop/Watch", Shape::ServerStreaming),
];
static SHOP: ServiceDescriptor = ServiceDescriptor::new("test.Shop", &METHODS);
static CODEC: [MessageCodec<u64>; 1] = [MessageCodec::of::<Json>()];
static BUY: MethodTypes<u64, u64> = MethodTypes::new(&METHODS[0], &CODEC, &CODEC);
static WATCH: MethodTypes<u64, u64> = MethodTypes::new(&METHODS[1], &CODEC, &CODEC);

/// Takes as many milliseconds as it is asked to, and fails where that is a code times a million.
struct Shop;

impl Service for Shop {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &SHOP
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        if method == 0 {
            return unary(&BUY, call, async |request| {
                let millis = request.into_inner();
                if millis == 77 {
                    return Ok(with_own_report());
                }
                work(millis).await?;
                Ok(Response::new(millis))
            });
        }
        server_streaming(&WATCH, call, async |request| {
            let (sender, stream) = Streaming::channel(1);
            let millis = request.into_inner();
            tokio::spawn(async move {
                if let Err(status) = work(millis).await {
                    sender.fail(status);
                } else {
                    let _ = sender.send(millis).await;
                }
            });
            Ok(Response::new(stream))
        })
    }
}

async fn work(millis: u64) -> Result<()> {
    if millis >= 1_000_000 {
        let code = Code::from_u32(u32::try_from(millis / 1_000_000).unwrap());
        return Err(Status::new(code, "as asked"));
    }
    sleep(MS * u32::try_from(millis).unwrap()).await;
    Ok(())
}

fn with_own_report() -> Response<u64> {
    let mut report = LoadReport::new();
    report.set_request_cost("rows", 12.0).unwrap();
    let mut response = Response::new(77);
    response
        .trailers_mut()
        .insert_bin(TRAILER, report.encode())
        .unwrap();
    response
}

/// A container that may use one and a half CPUs and always uses three quarters of one; half of its memory is in use.
fn machine() -> Machine {
    let start = Instant::now();
    Machine::of(move |path| {
        Some(match path {
            "/proc/self/cgroup" => "0::/\n".to_owned(),
            "/sys/fs/cgroup/cpu.max" => "150000 100000\n".to_owned(),
            "/sys/fs/cgroup/cpu.stat" => {
                format!("usage_usec {}\n", start.elapsed().as_micros() * 3 / 4)
            }
            "/sys/fs/cgroup/memory.max" => "1000000\n".to_owned(),
            "/sys/fs/cgroup/memory.current" => "500000\n".to_owned(),
            _ => return None,
        })
    })
}

struct Bench {
    load: LoadReporter,
    channel: Channel,
}

impl Bench {
    fn new(load: LoadReporter) -> Self {
        let mut router = Router::new();
        router.add(Arc::new(Shop)).unwrap();
        #[cfg(feature = "prost")]
        router
            .add(Arc::new(rpc_governance::server::load::LoadService::new(
                load.clone(),
            )))
            .unwrap();
        let hooks: [Box<dyn Hook>; 1] = [Box::new(load.hook())];
        let dispatch = Dispatch::new(Arc::new(router)).with_hooks(hooks);
        let channel = Channel::new(LocalTransport::new(dispatch));
        Self { load, channel }
    }

    /// Runs a test while the server does.
    async fn run(self, test: impl AsyncFnOnce(&Self)) {
        tokio::select! {
            never = self.load.run_on(machine()) => match never {},
            () = test(&self) => {}
        }
    }

    async fn buy(&self, millis: u64) -> Option<LoadReport> {
        match client::unary(&self.channel, &BUY, Request::new(millis)).await {
            Ok(response) => report(response.trailers()),
            Err(status) => report(status.metadata()),
        }
    }

    async fn watch(&self, millis: u64) -> Streaming<u64> {
        client::server_streaming(&self.channel, &WATCH, Request::new(millis))
            .await
            .unwrap()
            .into_inner()
    }

    /// Calls until there is something to report.
    async fn warm_up(&self) {
        assert!(self.buy(0).await.is_none());
        sleep(2 * HALF + MS).await;
    }
}

fn report(trailers: &Metadata) -> Option<LoadReport> {
    assert!(trailers.get_all(TRAILER).count() <= 1);
    LoadReport::from_trailers(trailers).map(|report| report.unwrap())
}

#[track_caller]
fn is_about(found: f64, expected: f64) {
    assert!((found - expected).abs() < 0.01, "{found} is not {expected}");
}

#[tokio::test(start_paused = true)]
async fn answers_say_what_was_measured() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            bench.load.set_utilization("gpu", 0.7).unwrap();
            assert!(bench.buy(0).await.is_none(), "nothing is known yet");
            for _ in 0..9 {
                bench.buy(0).await;
            }
            sleep(2 * HALF + MS).await;
            let report = bench.buy(0).await.unwrap();
            is_about(report.cpu_utilization(), 0.5);
            is_about(report.mem_utilization(), 0.5);
            is_about(report.cores().unwrap(), 1.5);
            is_about(report.rps(), 20.0);
            is_about(report.eps(), 0.0);
            assert_eq!(report.in_flight(), Some(0.0));
            assert_eq!(report.utilization("gpu"), Some(0.7));
            assert_eq!(report, bench.load.report());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn rates_are_means_over_four_intervals() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            bench.warm_up().await;
            // From here on ten calls in each of many intervals, and then none but one.
            for _ in 0..10 {
                for _ in 0..10 {
                    bench.buy(0).await;
                }
                sleep(2 * HALF).await;
            }
            is_about(bench.load.report().rps(), 20.0);
            for _ in 0..4 {
                bench.buy(0).await;
                sleep(2 * HALF).await;
            }
            is_about(bench.load.report().rps(), 2.0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn failures_count_if_the_server_is_to_blame() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            bench.warm_up().await;
            let before = bench.load.report();
            for code in [Code::NotFound, Code::InvalidArgument, Code::Cancelled] {
                let report = bench.buy(code as u64 * 1_000_000).await;
                assert_eq!(report, Some(before.clone()), "failures carry the report as well");
            }
            for code in [
                Code::Internal,
                Code::Unavailable,
                Code::ResourceExhausted,
                Code::Unknown,
            ] {
                bench.buy(code as u64 * 1_000_000).await;
            }
            sleep(2 * HALF).await;
            let report = bench.load.report();
            // Seven and the one of the warming up, in two intervals; four of them failed.
            is_about(report.rps(), 8.0);
            is_about(report.eps(), 4.0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_in_flight_until_they_end_or_are_dropped() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            let in_flight = || bench.load.report().in_flight();
            let long = bench.buy(600);
            let given_up = tokio::time::timeout(600 * MS, bench.buy(10_000));
            let (_, given_up, seen) = tokio::join!(long, given_up, async {
                sleep(510 * MS).await;
                in_flight()
            });
            assert!(given_up.is_err());
            assert_eq!(seen, Some(2.0));
            sleep(500 * MS).await;
            assert_eq!(in_flight(), Some(0.0));
            is_about(bench.load.report().eps(), 0.0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_under_way_until_its_end_which_says_the_load_of_then() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            bench.load.set_named_metric("queue", 1.0).unwrap();
            let mut stream = bench.watch(600).await;
            let dropped = bench.watch(10_000).await;
            sleep(510 * MS).await;
            assert_eq!(bench.load.report().in_flight(), Some(2.0));
            bench.load.set_named_metric("queue", 2.0).unwrap();
            sleep(500 * MS).await;
            assert_eq!(stream.message().await.unwrap(), Some(600));
            assert_eq!(stream.message().await.unwrap(), None);
            let report = report(stream.trailers()).unwrap();
            assert_eq!(report.named_metric("queue"), Some(2.0));
            drop(dropped);
            sleep(500 * MS).await;
            assert_eq!(bench.load.report().in_flight(), Some(0.0));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_says_it_in_its_status() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            bench.warm_up().await;
            let mut stream = bench.watch(Code::Internal as u64 * 1_000_000).await;
            let status = stream.message().await.unwrap_err();
            assert_eq!(status.code(), Code::Internal);
            assert!(report(status.metadata()).is_some());
            sleep(2 * HALF).await;
            is_about(bench.load.report().eps(), 1.0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_report_of_the_handlers_own_stays() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            bench.warm_up().await;
            let report = bench.buy(77).await.unwrap();
            assert_eq!(report.request_cost("rows"), Some(12.0));
            assert_eq!(report.in_flight(), None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_at_while_no_calls_come() {
    let load = LoadReporter::new();
    let looks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&looks);
    let bench = Bench::new(load.clone());
    let machine = Machine::of(move |path| {
        if path == "/proc/meminfo" {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        None
    });
    let looks = || looks.load(std::sync::atomic::Ordering::SeqCst);
    let test = async {
        sleep(Duration::from_hours(1)).await;
        assert_eq!(looks(), 0);
        bench.warm_up().await;
        assert!(bench.buy(0).await.is_some());
        sleep(Duration::from_hours(1)).await;
        assert!(looks() <= 30, "{} looks in an hour", looks());
        assert!(load.report().is_empty(), "what it said is an hour old");
        bench.warm_up().await;
        assert!(bench.buy(0).await.is_some());
    };
    tokio::select! {
        never = load.run_on(machine) => match never {},
        () = test => {}
    }
}

#[tokio::test(start_paused = true)]
async fn without_measuring_it_says_what_the_application_says_at_once() {
    let mut config = LoadReporterConfig::default();
    config.measure = false;
    Bench::new(LoadReporter::with_config(config))
        .run(async |bench| {
            assert_eq!(bench.buy(0).await, None);
            bench.load.set_cpu_utilization(0.8).unwrap();
            bench.load.set_mem_utilization(0.5).unwrap();
            bench.load.set_utilization("gpu", 0.3).unwrap();
            bench.load.set_named_metric("rpc.in_flight", 5.0).unwrap();
            let mut expected = LoadReport::new();
            expected.set_cpu_utilization(0.8).unwrap();
            expected.set_mem_utilization(0.5).unwrap();
            expected.set_utilization("gpu", 0.3).unwrap();
            expected.set_named_metric("rpc.in_flight", 5.0).unwrap();
            assert_eq!(bench.buy(0).await, Some(expected));
            bench.load.set_cpu_utilization(0.0).unwrap();
            bench.load.set_mem_utilization(0.0).unwrap();
            bench.load.remove_utilization("gpu");
            bench.load.remove_named_metric("rpc.in_flight");
            assert_eq!(bench.buy(0).await, None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_measured_has_room_whatever_the_application_names() {
    Bench::new(LoadReporter::new())
        .run(async |bench| {
            let mut named = 0;
            while bench
                .load
                .set_named_metric(&format!("metric{named}"), 1.0)
                .is_ok()
            {
                named += 1;
            }
            assert_eq!(named, LoadReport::MAX_NAMES - 2);
            bench.load.remove_named_metric("rpc.cores");
            assert!(bench.load.set_utilization("gpu", 0.5).is_err());
            bench.load.set_cpu_utilization(0.25).unwrap();
            bench.warm_up().await;
            let report = bench.buy(0).await.unwrap();
            is_about(report.cpu_utilization(), 0.25);
            is_about(report.cores().unwrap(), 1.5);
            assert_eq!(report.named_metric("metric0"), Some(1.0));
        })
        .await;
}

#[cfg(feature = "prost")]
mod streamed {
    use rpc_core::load::wire::{OrcaLoadReport, OrcaLoadReportRequest, STREAM_CORE_METRICS};

    use super::*;

    async fn reports(bench: &Bench, request: OrcaLoadReportRequest) -> Streaming<OrcaLoadReport> {
        client::server_streaming(&bench.channel, &STREAM_CORE_METRICS, Request::new(request))
            .await
            .unwrap()
            .into_inner()
    }

    async fn next(stream: &mut Streaming<OrcaLoadReport>) -> (Duration, LoadReport) {
        let asked = Instant::now();
        let message = stream.message().await.unwrap().unwrap();
        (asked.elapsed(), LoadReport::from_message(message).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_gets_reports_without_calls_and_is_no_call() {
        Bench::new(LoadReporter::new())
            .run(async |bench| {
                let asked = OrcaLoadReportRequest::every(Duration::from_secs(10));
                let mut stream = reports(bench, asked).await;
                let (waited, report) = next(&mut stream).await;
                assert!(waited <= MS && report.is_empty());
                for _ in 0..3 {
                    let (waited, report) = next(&mut stream).await;
                    assert!(waited >= Duration::from_secs(10), "{waited:?}");
                    assert!(waited <= Duration::from_secs(10) + 2 * MS, "{waited:?}");
                    is_about(report.cpu_utilization(), 0.5);
                    assert_eq!(report.in_flight(), Some(0.0));
                    is_about(report.rps(), 0.0);
                }
                // Nobody reads any more, and nobody calls.
                drop(stream);
                sleep(Duration::from_secs(12)).await;
                assert!(bench.load.report().is_empty());
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gets_them_faster_than_the_server_allows() {
        Bench::new(LoadReporter::new())
            .run(async |bench| {
                for asked in [
                    OrcaLoadReportRequest::default(),
                    OrcaLoadReportRequest::every(Duration::ZERO),
                    OrcaLoadReportRequest::every(MS),
                ] {
                    let mut stream = reports(bench, asked).await;
                    next(&mut stream).await;
                    let (waited, _) = next(&mut stream).await;
                    assert!(waited >= Duration::from_secs(1), "{waited:?}");
                }
                let mut stream = reports(bench, OrcaLoadReportRequest::every(Duration::MAX)).await;
                next(&mut stream).await;
                let (waited, _) = next(&mut stream).await;
                assert!(waited <= Duration::from_hours(1) + 2 * MS, "{waited:?}");
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn streams_end_with_the_server() {
        Bench::new(LoadReporter::new())
            .run(async |bench| {
                let asked = OrcaLoadReportRequest::every(Duration::from_hours(1));
                let mut stream = reports(bench, asked).await;
                next(&mut stream).await;
                let (ended, ()) = tokio::join!(stream.message(), async {
                    sleep(MS).await;
                    bench.load.end();
                });
                assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
                assert!(stream.message().await.unwrap().is_none());
            })
            .await;
    }
}
