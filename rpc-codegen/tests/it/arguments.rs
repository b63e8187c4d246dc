//! Several arguments, none, and how they look on the wire.

use rpc::{CallOptions, Code, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{channel, encoding_channel, exchange};

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[default]
    Normal,
    Express,
}

#[rpc_codegen::service(package = "shop.v1", codecs = [Json, MsgPack])]
pub(crate) trait Orders {
    async fn ping(&self) -> Result<()>;
    async fn lone(&self, number: u64) -> Result<u64>;
    async fn place(
        &self,
        sku: String,
        count: u32,
        note: Option<String>,
        #[rpc(default)] kind: Kind,
        r#type: Vec<u8>,
    ) -> Result<(String, Kind)>;
    /// The default body does not use its arguments, and says so.
    async fn cancel(&self, _sku: String, mut count: u32) -> Result<u32> {
        count += 1;
        Ok(count)
    }
}

struct Desk;

impl Orders for Desk {
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn lone(&self, number: u64) -> Result<u64> {
        Ok(number + 1)
    }

    async fn place(
        &self,
        sku: String,
        count: u32,
        note: Option<String>,
        kind: Kind,
        r#type: Vec<u8>,
    ) -> Result<(String, Kind)> {
        Ok((format!("{count} of {sku}, {note:?}, {type:?}"), kind))
    }
}

#[tokio::test]
async fn no_argument_one_and_several() {
    for channel in [
        channel(OrdersServer::new(Desk)),
        encoding_channel(OrdersServer::new(Desk)),
    ] {
        let orders = OrdersClient::new(channel);
        orders.ping().await.expect("it answers");
        assert_eq!(orders.lone(41).await.expect("it answers"), 42);
        let placed = orders
            .place("4711".into(), 2, None, Kind::Express, vec![1])
            .await
            .expect("it answers");
        assert_eq!(placed, ("2 of 4711, None, [1]".to_owned(), Kind::Express));
    }
}

#[tokio::test]
async fn a_default_body_works_on_both_sides() {
    let orders = OrdersClient::new(encoding_channel(OrdersServer::new(Desk)));
    assert_eq!(orders.cancel("4711".into(), 2).await.expect("it answers"), 3);
    assert_eq!(Desk.cancel("4711".into(), 2).await.expect("it answers"), 3);
}

async fn json(path: &str, request: serde_json::Value) -> Result<serde_json::Value> {
    let response = exchange(OrdersServer::new(Desk), path, "json", request.to_string()).await?;
    Ok(serde_json::from_slice(&response).expect("the response is JSON"))
}

#[tokio::test]
async fn fields_bear_the_names_of_the_arguments() {
    let request = json!({ "sku": "4711", "count": 2, "note": "soon", "kind": "Express", "type": [1] });
    let response = json("/shop.v1.Orders/Place", request).await.expect("it answers");
    assert_eq!(response, json!(["2 of 4711, Some(\"soon\"), [1]", "Express"]));
    let response = json("/shop.v1.Orders/Cancel", json!({ "sku": "4711", "count": 2 }))
        .await
        .expect("it answers");
    assert_eq!(response, json!(3));
    let response = json("/shop.v1.Orders/Lone", json!(1)).await.expect("it answers");
    assert_eq!(response, json!(2));
    let response = json("/shop.v1.Orders/Ping", json!({})).await.expect("it answers");
    assert_eq!(response, json!({}), "a field can be added later");
}

#[tokio::test]
async fn fields_with_a_default_may_be_missing_and_unknown_ones_are_passed_over() {
    let request = json!({ "sku": "4711", "count": 2, "type": [], "colour": "red" });
    let response = json("/shop.v1.Orders/Place", request).await.expect("it answers");
    assert_eq!(response, json!(["2 of 4711, None, []", "Normal"]));
    json("/shop.v1.Orders/Ping", json!({ "later": true }))
        .await
        .expect("it answers");

    let status = json("/shop.v1.Orders/Place", json!({ "sku": "4711" }))
        .await
        .expect_err("a field is missing");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.reason(), Some(rpc::status::reason::MESSAGE_MALFORMED));
}

/// A service as it was, and as it is now.
mod before {
    #[rpc_codegen::service(package = "shop.v1", name = "Rooms")]
    pub(super) trait Before {
        async fn several(&self) -> rpc::Result<u32>;
        async fn structured(&self) -> rpc::Result<u32>;
        async fn gathered(&self, floor: u32, beds: u32) -> rpc::Result<u32>;
    }

    pub(super) struct House;

    impl Before for House {
        async fn several(&self) -> rpc::Result<u32> {
            Ok(0)
        }

        async fn structured(&self) -> rpc::Result<u32> {
            Ok(0)
        }

        async fn gathered(&self, floor: u32, beds: u32) -> rpc::Result<u32> {
            Ok(10 * floor + beds)
        }
    }
}

mod now {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct Filter {
        #[serde(default)]
        pub(super) floor: u32,
        #[serde(default)]
        pub(super) beds: u32,
    }

    #[rpc_codegen::service(package = "shop.v1", name = "Rooms")]
    pub(super) trait Now {
        async fn several(&self, floor: Option<u32>, #[rpc(default)] beds: u32) -> rpc::Result<u32>;
        async fn structured(&self, filter: Filter) -> rpc::Result<u32>;
        async fn gathered(&self, filter: Filter) -> rpc::Result<u32>;
    }

    pub(super) struct House;

    impl Now for House {
        async fn several(&self, floor: Option<u32>, beds: u32) -> rpc::Result<u32> {
            Ok(10 * floor.unwrap_or_default() + beds)
        }

        async fn structured(&self, filter: Filter) -> rpc::Result<u32> {
            Ok(10 * filter.floor + filter.beds)
        }

        async fn gathered(&self, filter: Filter) -> rpc::Result<u32> {
            Ok(10 * filter.floor + filter.beds)
        }
    }
}

#[tokio::test]
async fn arguments_may_become_more_and_a_struct() {
    use before::Before as _;
    use now::{Filter, Now as _};

    for codec in ["msgpack", "json"] {
        let with = CallOptions::new().with_codec(codec);
        let server = encoding_channel(now::NowServer::new(now::House)).with_options(with.clone());
        let old = before::BeforeClient::new(server);
        assert_eq!(old.several().await.expect("it answers"), 0);
        assert_eq!(old.structured().await.expect("it answers"), 0);
        assert_eq!(old.gathered(1, 2).await.expect("it answers"), 12);

        let server = encoding_channel(before::BeforeServer::new(before::House)).with_options(with);
        let new = now::NowClient::new(server);
        let filter = || Filter { floor: 1, beds: 2 };
        assert_eq!(new.several(Some(1), 2).await.expect("it answers"), 0);
        assert_eq!(new.structured(filter()).await.expect("it answers"), 0);
        assert_eq!(new.gathered(filter()).await.expect("it answers"), 12);
    }
}
