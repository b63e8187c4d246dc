//! Fields of requests by path: which methods have them, and under which names.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rpc::{
    Call, CallOptions, Channel, Reply, Result, Stage, Status, Streaming,
    matcher::{Condition, Matcher, Predicate},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub(crate) struct Parcel {
    #[prost(string, tag = "1")]
    pub(crate) region: String,
}

#[rpc_codegen::service(package = "shop.v1")]
pub(crate) trait Sender {
    async fn ping(&self) -> Result<()>;
    async fn send(&self, parcel: Parcel) -> Result<()>;
    async fn price(&self, r#type: String, kilos: u32, parcel: Parcel) -> Result<u32>;
    async fn watch(&self, parcel: Parcel) -> Result<Streaming<u32>>;
    async fn import(&self, parcels: Streaming<Parcel>) -> Result<()>;
}

#[rpc_codegen::service(package = "shop.v1", codecs = [Prost, Json])]
pub(crate) trait Both {
    async fn send(&self, parcel: Parcel) -> Result<Parcel>;
    async fn price(&self, kind: String, weight: u32) -> Result<Parcel>;
}

#[rpc_codegen::service(package = "shop.v1", codecs = [Prost])]
pub(crate) trait OnlyProst {
    async fn send(&self, parcel: Parcel) -> Result<Parcel>;
}

fn rule(path: &str, predicate: Predicate) -> Matcher {
    Matcher::new([Condition::field(path, predicate).expect("a path")]).expect("sound")
}

/// Answers nothing, and remembers what the rule said.
struct Asked {
    rule: Matcher,
    matched: Arc<AtomicBool>,
}

impl Stage for Asked {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        self.matched.store(self.rule.matches(call), Ordering::Relaxed);
        Err(Status::unimplemented("nobody is there"))
    }
}

/// A channel, and what its rule says of the last call.
fn channel(path: &str, value: &str) -> (Channel, Arc<AtomicBool>) {
    let matched = Arc::new(AtomicBool::new(false));
    let asked = Asked {
        rule: rule(path, Predicate::equals(value)),
        matched: matched.clone(),
    };
    (Channel::new(asked), matched)
}

fn parcel() -> Parcel {
    Parcel {
        region: "eu".to_owned(),
    }
}

#[tokio::test]
async fn stubs_lend_requests_that_have_fields() {
    for (path, fits) in [("region", true), ("parcel.region", false)] {
        let (channel, matched) = channel(path, "eu");
        let stub = SenderClient::new(channel);
        assert!(stub.send(parcel()).await.is_err());
        assert_eq!(matched.load(Ordering::Relaxed), fits, "{path}");
        assert!(stub.watch(parcel()).await.is_err());
        assert_eq!(matched.load(Ordering::Relaxed), fits, "{path}");
        assert!(stub.import(Streaming::from_iter([parcel()])).await.is_err());
        assert!(!matched.load(Ordering::Relaxed), "{path}");
    }
}

#[tokio::test]
async fn several_arguments_are_fields_by_name() {
    for (path, value) in [("parcel.region", "eu"), ("type", "air")] {
        let (channel, matched) = channel(path, value);
        let stub = SenderClient::new(channel);
        assert!(stub.price("air".to_owned(), 3, parcel()).await.is_err());
        assert!(matched.load(Ordering::Relaxed), "{path}");
        assert!(stub.price("sea".to_owned(), 3, Parcel::default()).await.is_err());
        assert!(!matched.load(Ordering::Relaxed), "{path}");
    }
}

#[tokio::test]
async fn a_codec_of_the_serde_family_finds_them_for_the_others() {
    for codec in ["proto", "json"] {
        let (channel, matched) = channel("region", "eu");
        let stub = BothClient::new(channel.with_options(CallOptions::new().with_codec(codec)));
        assert!(stub.send(parcel()).await.is_err());
        assert!(matched.load(Ordering::Relaxed), "{codec}");
    }
    let (channel, matched) = channel("kind", "air");
    let stub = BothClient::new(channel);
    assert!(stub.price("air".to_owned(), 1).await.is_err());
    assert!(matched.load(Ordering::Relaxed));
    let (channel, matched) = self::channel("region", "eu");
    let stub = OnlyProstClient::new(channel);
    assert!(stub.send(parcel()).await.is_err());
    assert!(!matched.load(Ordering::Relaxed));
}

#[test]
fn rules_are_checked_against_the_descriptor() {
    let bind = |method: &str, path: &str, service| {
        let method = Condition::method(Predicate::equals(method));
        let field = Condition::field(path, Predicate::exists()).expect("a path");
        let bound = Matcher::new([method, field]).expect("sound").bind([service]);
        bound.map_err(|error| error.problem().to_owned())
    };
    let sender = SenderClient::DESCRIPTOR;
    assert_eq!(bind("Send", "region", sender), Ok(()));
    assert_eq!(bind("Watch", "region", sender), Ok(()));
    assert_eq!(bind("Price", "parcel.region", sender), Ok(()));
    for (method, path, problem) in [
        ("Send", "town", "`town` is not there; there are: `region`"),
        (
            "Price",
            "weight",
            "`weight` is not there; there are: `type`, `kilos`, `parcel`",
        ),
        (
            "Ping",
            "region",
            "`region` is not there: the message has no fields",
        ),
        ("Import", "region", "they are a stream"),
    ] {
        let error = bind(method, path, sender).expect_err(path);
        assert!(error.contains(problem), "{method}: {error}");
    }
    let both = BothClient::DESCRIPTOR;
    assert_eq!(bind("Send", "region", both), Ok(()));
    assert_eq!(bind("Price", "weight", both), Ok(()));
    assert!(bind("Price", "price", both).is_err());
    let error = bind("Send", "region", OnlyProstClient::DESCRIPTOR).expect_err("no way");
    assert!(error.contains("there is no way to find fields"), "{error}");
}
