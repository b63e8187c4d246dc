use std::{sync::Arc, time::Duration};

use rpc_core::{
    Channel, Code, Request, Status, Streaming, client,
    health::{CHECK, CheckRequest, CheckResponse, LIST, ListRequest, WATCH, WireStatus},
    server::{Dispatch, Router},
    status::reason,
    transport::LocalTransport,
};

use super::{HealthReporter, HealthService, ServingStatus};

const SHOP: &str = "shop.v1.Inventory";

struct Bench {
    reporter: HealthReporter,
    channel: Channel,
}

impl Bench {
    fn new() -> Self {
        let reporter = HealthReporter::new();
        let mut router = Router::new();
        router
            .add(Arc::new(HealthService::new(reporter.clone())))
            .unwrap();
        reporter.add(SHOP);
        let channel = Channel::new(LocalTransport::new(Dispatch::new(Arc::new(router))));
        Self { reporter, channel }
    }

    async fn check(&self, service: &str) -> Result<WireStatus, Status> {
        let request = CheckRequest {
            service: service.to_owned(),
        };
        let response = client::unary(&self.channel, &CHECK, Request::new(request)).await?;
        Ok(response.message().status())
    }

    async fn watch(&self, service: &str) -> Streaming<CheckResponse> {
        let request = CheckRequest {
            service: service.to_owned(),
        };
        client::server_streaming(&self.channel, &WATCH, Request::new(request))
            .await
            .unwrap()
            .into_inner()
    }

    async fn list(&self) -> Result<Vec<(String, WireStatus)>, Status> {
        let response = client::unary(&self.channel, &LIST, Request::new(ListRequest {})).await?;
        let mut statuses: Vec<_> = response
            .into_inner()
            .statuses
            .into_iter()
            .map(|(name, response)| (name, response.status()))
            .collect();
        statuses.sort();
        Ok(statuses)
    }
}

async fn next(stream: &mut Streaming<CheckResponse>) -> WireStatus {
    stream.message().await.unwrap().unwrap().status()
}

/// True if nothing comes: on paused time that is certain at once.
async fn is_silent(stream: &mut Streaming<CheckResponse>) -> bool {
    tokio::time::timeout(Duration::from_hours(1), stream.message())
        .await
        .is_err()
}

#[tokio::test]
async fn check_answers_for_the_server_and_for_each_service() {
    let bench = Bench::new();
    assert_eq!(bench.check("").await.unwrap(), WireStatus::Serving);
    assert_eq!(bench.check(SHOP).await.unwrap(), WireStatus::Serving);
    bench.reporter.set(SHOP, ServingStatus::NotServing);
    assert_eq!(bench.check(SHOP).await.unwrap(), WireStatus::NotServing);
    assert_eq!(bench.check("").await.unwrap(), WireStatus::Serving);
    assert_eq!(bench.check("other").await.unwrap_err().code(), Code::NotFound);
    bench.reporter.remove(SHOP);
    assert_eq!(bench.check(SHOP).await.unwrap_err().code(), Code::NotFound);
    bench.reporter.remove("");
    assert_eq!(bench.check("").await.unwrap(), WireStatus::Serving);
}

#[tokio::test]
async fn what_was_reported_before_the_service_was_added_stays() {
    let reporter = HealthReporter::new();
    reporter.set(SHOP, ServingStatus::NotServing);
    reporter.add(SHOP);
    assert_eq!(reporter.get(SHOP), Some(ServingStatus::NotServing));
}

#[tokio::test(start_paused = true)]
async fn watch_sends_changes_and_none_twice() {
    let bench = Bench::new();
    let mut watch = bench.watch(SHOP).await;
    assert_eq!(next(&mut watch).await, WireStatus::Serving);
    // Others' changes, and ones that change nothing.
    bench.reporter.set("other", ServingStatus::NotServing);
    bench.reporter.set(SHOP, ServingStatus::Serving);
    assert!(is_silent(&mut watch).await);
    // There and back before anybody looked.
    bench.reporter.set(SHOP, ServingStatus::NotServing);
    bench.reporter.set(SHOP, ServingStatus::Serving);
    assert!(is_silent(&mut watch).await);
    bench.reporter.set(SHOP, ServingStatus::NotServing);
    assert_eq!(next(&mut watch).await, WireStatus::NotServing);
    assert!(is_silent(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn watch_of_an_unknown_name_stays_open() {
    let bench = Bench::new();
    let mut watch = bench.watch("later").await;
    assert_eq!(next(&mut watch).await, WireStatus::ServiceUnknown);
    assert!(is_silent(&mut watch).await);
    bench.reporter.set("later", ServingStatus::Serving);
    assert_eq!(next(&mut watch).await, WireStatus::Serving);
    bench.reporter.remove("later");
    assert_eq!(next(&mut watch).await, WireStatus::ServiceUnknown);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_too_long_is_never_known() {
    let bench = Bench::new();
    let long = "x".repeat(1025);
    bench.reporter.set(&*long, ServingStatus::Serving);
    let mut watch = bench.watch(&long).await;
    assert_eq!(next(&mut watch).await, WireStatus::ServiceUnknown);
    assert!(is_silent(&mut watch).await);
}

#[tokio::test]
async fn list_answers_with_all_up_to_a_hundred() {
    let bench = Bench::new();
    bench.reporter.set(SHOP, ServingStatus::NotServing);
    let expected = [
        (String::new(), WireStatus::Serving),
        (SHOP.to_owned(), WireStatus::NotServing),
    ];
    assert_eq!(bench.list().await.unwrap(), expected);
    for number in 2..100 {
        bench
            .reporter
            .set(format!("service{number}"), ServingStatus::Serving);
    }
    assert_eq!(bench.list().await.unwrap().len(), 100);
    bench.reporter.set("one more", ServingStatus::Serving);
    assert_eq!(bench.list().await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn a_drain_overrules_what_is_reported() {
    let bench = Bench::new();
    let (mut known, mut unknown) = (bench.watch(SHOP).await, bench.watch("other").await);
    assert_eq!(next(&mut known).await, WireStatus::Serving);
    assert_eq!(next(&mut unknown).await, WireStatus::ServiceUnknown);
    bench.reporter.drain();
    bench.reporter.set(SHOP, ServingStatus::Serving);
    bench.reporter.set("other", ServingStatus::Serving);
    bench.reporter.remove(SHOP);
    for service in ["", SHOP] {
        assert_eq!(bench.check(service).await.unwrap(), WireStatus::NotServing);
    }
    assert_eq!(next(&mut known).await, WireStatus::NotServing);
    assert!(is_silent(&mut known).await);
    assert!(is_silent(&mut unknown).await);
    bench.reporter.end();
    for mut watch in [known, unknown] {
        let status = watch.message().await.unwrap_err();
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Unavailable, Some(reason::DRAINING))
        );
        assert!(watch.message().await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_ends_at_once_is_still_told() {
    let bench = Bench::new();
    let mut watch = bench.watch("").await;
    assert_eq!(next(&mut watch).await, WireStatus::Serving);
    bench.reporter.drain();
    bench.reporter.end();
    assert_eq!(next(&mut watch).await, WireStatus::NotServing);
    assert!(watch.message().await.is_err());
}
