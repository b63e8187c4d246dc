//! Deadlines, from the builder to the handler.

use std::time::Duration;

use rpc::{
    Call, CallOptions, Channel, Deadline, OwnedCall, Reply,
    lb::fault::{Delay, FaultRule},
    matcher::Matcher,
    message::Body,
    prelude::*,
    stage::CallService,
    status::{Side, reason},
};
use tokio::time::{Instant, sleep, timeout};
use tower::util::service_fn;
use tower_layer::layer_fn;
use tower_service::Service;

use super::support::{Echo, EchoClient, EchoServer, LONG, Named, Running, local};

fn assert_expired(status: &Status) {
    assert_eq!(
        (status.code(), status.reason()),
        (Code::DeadlineExceeded, Some(reason::DEADLINE_PASSED))
    );
    assert_eq!(status.place().side(), Some(Side::Client), "{status}");
}

#[tokio::test(start_paused = true)]
async fn the_handler_sees_the_effective_one() {
    let usual = local("a").build().unwrap();
    let short = local("a")
        .default_timeout(Duration::from_millis(70))
        .build()
        .unwrap();
    let none = local("a").without_default_timeout().build().unwrap();
    let bare = local("a").without_governance().build().unwrap();
    let options = CallOptions::new().with_timeout(Duration::from_millis(300));
    let stub: Channel = Channel::from(&usual).with_options(options);
    let cases: [(EchoClient, Option<u64>); 5] = [
        (EchoClient::new(&usual), Some(10_000)),
        (EchoClient::new(&short), Some(70)),
        (EchoClient::new(&none), None),
        (EchoClient::new(&bare), None),
        (EchoClient::new(stub), Some(300)),
    ];
    for (echo, expected) in cases {
        assert_eq!(echo.deadline_ms().await.unwrap(), expected);
        let inbound = Context::new().with_deadline(Deadline::after(Duration::from_millis(40)));
        assert_eq!(inbound.enter(|| echo.deadline_ms()).await.unwrap(), Some(40));
    }
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_ends_after_ten_seconds() {
    let echo = EchoClient::new(local("a").build().unwrap());
    let start = Instant::now();
    let status = echo.wait(60_000).await.unwrap_err();
    assert_expired(&status);
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    let start = Instant::now();
    assert_expired(&echo.wait_bounded(60_000).await.unwrap_err());
    assert_eq!(
        start.elapsed(),
        Duration::from_millis(50),
        "the method's author said so"
    );
}

#[tokio::test(start_paused = true)]
async fn without_governance_only_what_is_asked_for_counts() {
    let client = local("a").without_governance().build().unwrap();
    let echo = EchoClient::new(&client);
    assert_eq!(echo.wait_bounded(60_000).await.unwrap(), "a");
    let options = CallOptions::new().with_timeout(Duration::from_millis(5));
    assert_expired(&echo.with_options(options).wait(60_000).await.unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_no_default_and_ends_at_its_deadline() {
    let client = local("a").build().unwrap();
    let echo = EchoClient::new(&client);
    let mut numbers = echo.drip(1000).await.unwrap();
    for n in 0..60 {
        assert_eq!(numbers.message().await.unwrap(), Some(n));
    }
    let start = Instant::now();
    let echo = echo.with_options(CallOptions::new().with_timeout(Duration::from_millis(2500)));
    let mut numbers = echo.drip(1000).await.unwrap();
    assert_eq!(numbers.message().await.unwrap(), Some(0));
    assert_eq!(numbers.message().await.unwrap(), Some(1));
    assert_expired(&numbers.message().await.unwrap_err());
    assert_eq!(start.elapsed(), Duration::from_millis(2500));
}

#[tokio::test(start_paused = true)]
async fn it_bounds_layers_that_hang_and_faults() {
    let hang = layer_fn(|_: CallService| service_fn(|_: OwnedCall| std::future::pending::<Result<Reply>>()));
    let held_up = FaultRule::new("slow", Matcher::every()).with_delay(Delay::new(Duration::from_hours(1)));
    let server = Server::builder().add_service(EchoServer::new(Named("a".into())));
    let behind = server.layer(hang).build().unwrap();
    let clients = [
        local("a").layer(hang),
        local("a").attempt_layer(hang),
        local("a").faults([held_up]),
        Client::builder().target("local:///echo").local(behind.dispatch()),
    ];
    for client in clients {
        let client = client.default_timeout(Duration::from_millis(70)).build();
        let echo = EchoClient::new(client.unwrap());
        assert_expired(&timeout(LONG, echo.name()).await.unwrap().unwrap_err());
        assert_expired(&timeout(LONG, echo.wait_bounded(0)).await.unwrap().unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_a_layer_passes_on_has_the_same() {
    let twice = layer_fn(|inner: CallService| {
        service_fn(move |call: OwnedCall| {
            let mut inner = inner.clone();
            async move {
                let mut first = Call::new(call.method.clone(), call.codec.clone(), Body::Empty);
                first.context = call.context.clone();
                assert!(inner.call(first).await.is_err(), "it has no message");
                sleep(Duration::from_millis(20)).await;
                inner.call(call).await
            }
        })
    });
    let client = local("a").layer(twice).default_timeout(Duration::from_millis(70));
    let echo = EchoClient::new(client.build().unwrap());
    assert_eq!(echo.deadline_ms().await.unwrap(), Some(50));
}

#[tokio::test]
async fn over_grpc_too() {
    let server = Running::start("a").await;
    let client = Client::builder().target(server.target()).build().unwrap();
    let echo =
        EchoClient::new(&client).with_options(CallOptions::new().with_timeout(Duration::from_millis(200)));
    assert_expired(&timeout(LONG, echo.wait(60_000)).await.unwrap().unwrap_err());
    let mut numbers = echo.drip(20).await.unwrap();
    let status = loop {
        match timeout(LONG, numbers.message()).await.unwrap() {
            Ok(number) => assert!(number.is_some()),
            Err(status) => break status,
        }
    };
    assert_expired(&status);
    let left = EchoClient::new(&client).deadline_ms().await.unwrap().unwrap();
    assert!(left > 5_000 && left <= 10_000, "{left}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_idle_target_does_not_outlast_a_deadline() {
    let client = Client::builder()
        .target("memory:///nobody")
        .registry(MemoryRegistry::new())
        .wait_for_ready(true);
    let echo = EchoClient::new(client.build().unwrap());
    let echo = echo.with_options(
        CallOptions::new()
            .with_timeout(Duration::from_millis(50))
            .with_wait_for_ready(true),
    );
    assert_expired(&timeout(LONG, echo.name()).await.unwrap().unwrap_err());
}
