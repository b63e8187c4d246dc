//! A call that causes another one, over real gRPC: what the context carries, what stays behind, and errors on their way
//! back.

use std::time::Duration;

use rpc::{
    Client, Code, Context, Deadline, Result, Server, Status, Streaming,
    context::{Baggage, Lane, TraceContext},
    net::Address,
    server::ServerHandle,
};

/// The far end.
#[rpc::service(package = "hops.v1")]
trait Back {
    /// What the context of this call says: lane, baggage, trace, and whether there is a deadline.
    async fn seen(&self) -> Result<(Option<String>, Option<String>, Option<String>, bool)>;
    /// Refuses, and says that nothing was done and when to come back.
    async fn refuse(&self) -> Result<(), RefusedError>;
    /// Numbers, as many as are asked for.
    async fn count(&self, to: u32) -> Result<Streaming<u32>>;
    /// Their sum.
    async fn sum(&self, numbers: Streaming<u32>) -> Result<u32>;
    /// Each one doubled.
    async fn double(&self, numbers: Streaming<u32>) -> Result<Streaming<u32>>;
}

/// The near end, which knows nothing of lanes.
#[rpc::service(package = "hops.v1")]
trait Front {
    async fn seen(&self) -> Result<(Option<String>, Option<String>, Option<String>, bool)>;
    async fn refuse(&self) -> Result<(), RefusedError>;
}

#[derive(Debug, rpc::ServiceError)]
#[rpc(domain = "hops.v1")]
enum RefusedError {
    #[rpc(code = ResourceExhausted)]
    Full { seats: u32 },
    #[rpc(other)]
    Other(Status),
}

impl std::fmt::Display for RefusedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

struct BackImpl;

impl Back for BackImpl {
    async fn seen(&self) -> Result<(Option<String>, Option<String>, Option<String>, bool)> {
        let context = Context::current();
        Ok((
            context.lane().map(ToString::to_string),
            context.baggage().get("user").map(str::to_owned),
            context.trace().map(|trace| format!("{:032x}", trace.trace_id())),
            context.deadline().is_some(),
        ))
    }

    async fn refuse(&self) -> Result<(), RefusedError> {
        Err(RefusedError::Full { seats: 4 })
    }

    async fn count(&self, to: u32) -> Result<Streaming<u32>> {
        Ok(Streaming::from_iter(0..to))
    }

    async fn sum(&self, mut numbers: Streaming<u32>) -> Result<u32> {
        let mut sum = 0;
        while let Some(number) = numbers.message().await? {
            sum += number;
        }
        Ok(sum)
    }

    async fn double(&self, mut numbers: Streaming<u32>) -> Result<Streaming<u32>> {
        let (sender, doubled) = Streaming::channel(1);
        rpc::spawn(async move {
            while let Ok(Some(number)) = numbers.message().await {
                if sender.send(2 * number).await.is_err() {
                    return;
                }
            }
        });
        Ok(doubled)
    }
}

struct FrontImpl(BackClient);

impl Front for FrontImpl {
    async fn seen(&self) -> Result<(Option<String>, Option<String>, Option<String>, bool)> {
        self.0.seen().await
    }

    async fn refuse(&self) -> Result<(), RefusedError> {
        self.0.refuse().await
    }
}

async fn serve(service: impl rpc::server::Service) -> (Address, ServerHandle) {
    let server = Server::builder()
        .add_service(service)
        .without_signals()
        .build()
        .expect("a server");
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let (address, handle) = (bound.local_addresses()[0].clone(), bound.handle());
    tokio::spawn(bound.serve());
    (address, handle)
}

fn client(address: &Address) -> Client {
    Client::builder()
        .target(format!("static://{address}"))
        .build()
        .expect("a client")
}

#[tokio::test]
async fn lane_baggage_trace_and_deadline_travel_through_a_service_that_knows_nothing_of_them() {
    let (back, _back) = serve(BackServer::new(BackImpl)).await;
    let behind = client(&back);
    let (front, _front) = serve(FrontServer::new(FrontImpl(BackClient::new(&behind)))).await;
    let before = client(&front);
    let stub = FrontClient::new(&before);

    let lane = Lane::new("green").expect("a lane");
    let baggage = Baggage::new().with("user", "alice").expect("legal");
    let trace = TraceContext::new(0xabc, 7, true).expect("not zero");
    let context = Context::new()
        .with_lane(lane)
        .with_baggage(baggage)
        .with_trace(trace)
        .with_deadline(Deadline::after(Duration::from_secs(30)));
    let seen = context
        .scope(async { stub.seen().await })
        .await
        .expect("an answer");
    let expected = (
        Some("green".to_owned()),
        Some("alice".to_owned()),
        Some(format!("{:032x}", 0xabc)),
        true,
    );
    assert_eq!(seen, expected);

    let plain = stub.seen().await.expect("an answer");
    assert_eq!(
        plain,
        (None, None, None, true),
        "only the default deadline goes along"
    );
}

#[tokio::test]
async fn an_error_comes_back_as_the_same_variant_through_two_hops() {
    let (back, _back) = serve(BackServer::new(BackImpl)).await;
    let behind = client(&back);
    let (front, _front) = serve(FrontServer::new(FrontImpl(BackClient::new(&behind)))).await;
    let before = client(&front);
    let refused = FrontClient::new(&before).refuse().await;
    assert!(
        matches!(refused, Err(RefusedError::Full { seats: 4 })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn every_shape_in_every_default_codec() {
    let (back, _back) = serve(BackServer::new(BackImpl)).await;
    for codec in ["msgpack", "json"] {
        let client = Client::builder()
            .target(format!("static://{back}"))
            .codec(codec)
            .build()
            .expect("a client");
        let stub = BackClient::new(&client);
        let mut counted = stub.count(3).await.expect("a stream");
        let mut numbers = Vec::new();
        while let Some(number) = counted.message().await.expect("goes on") {
            numbers.push(number);
        }
        assert_eq!(numbers, [0, 1, 2], "{codec}");
        assert_eq!(
            stub.sum(Streaming::from_iter(1..=4)).await.expect("a sum"),
            10,
            "{codec}"
        );
        let mut doubled = stub.double(Streaming::from_iter([5, 6])).await.expect("a stream");
        assert_eq!(doubled.message().await.expect("goes on"), Some(10), "{codec}");
        assert_eq!(doubled.message().await.expect("goes on"), Some(12), "{codec}");
        assert_eq!(doubled.message().await.expect("ends"), None, "{codec}");
    }
    let client = Client::builder()
        .target(format!("static://{back}"))
        .codec("proto")
        .build()
        .expect("a client");
    let refused = BackClient::new(&client)
        .sum(Streaming::empty())
        .await
        .expect_err("is not offered");
    assert_eq!(
        (refused.code(), refused.reason()),
        (Code::Unimplemented, Some("CODEC_UNKNOWN"))
    );
    assert!(!refused.was_processed());
}
