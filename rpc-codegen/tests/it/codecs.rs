//! Codecs: which one a call uses, protobuf messages of several arguments, a codec of the user's.

use bytes::{Bytes, BytesMut};
use prost::Message;
use rpc::{
    CallOptions, Code, Result,
    codec::{Codec, CodecError, Decode, Encode},
};
use serde::{Deserialize, Serialize};

use crate::support::{encoding_channel, exchange};

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
pub(crate) struct Item {
    #[prost(string, tag = "1")]
    name: String,
}

#[rpc_codegen::service(package = "shop.v1", codecs = [Prost, Json])]
#[allow(clippy::too_many_arguments, reason = "one of each kind")]
pub(crate) trait Carts {
    async fn clear(&self) -> Result<()>;
    async fn put(
        &self,
        cart: u64,
        item: Item,
        #[rpc(tag = 7)] tags: Vec<String>,
        #[rpc(tag = 3)] blob: Vec<u8>,
        more: Vec<Item>,
        gift: Option<bool>,
        #[rpc(tag = 8)] price: f64,
    ) -> Result<Item>;
}

struct Shop;

impl Carts for Shop {
    async fn clear(&self) -> Result<()> {
        Ok(())
    }

    async fn put(
        &self,
        cart: u64,
        item: Item,
        tags: Vec<String>,
        blob: Vec<u8>,
        more: Vec<Item>,
        gift: Option<bool>,
        price: f64,
    ) -> Result<Item> {
        let name = format!(
            "{cart} {} {tags:?} {blob:?} {} {gift:?} {price}",
            item.name,
            more.len()
        );
        Ok(Item { name })
    }
}

/// The same message as a `.proto` file would have it.
#[derive(Clone, PartialEq, Message)]
struct PutRequest {
    #[prost(uint64, tag = "1")]
    cart: u64,
    #[prost(message, optional, tag = "2")]
    item: Option<Item>,
    #[prost(string, repeated, tag = "7")]
    tags: Vec<String>,
    #[prost(bytes = "vec", tag = "3")]
    blob: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    more: Vec<Item>,
    #[prost(bool, optional, tag = "6")]
    gift: Option<bool>,
    #[prost(double, tag = "8")]
    price: f64,
}

const PUT: &str = "7 cup [\"a\"] [9] 1 Some(true) 0";

#[tokio::test]
async fn several_arguments_are_a_protobuf_message() {
    let item = Item { name: "cup".into() };
    let request = PutRequest {
        cart: 7,
        item: Some(item.clone()),
        tags: vec!["a".into()],
        blob: vec![9],
        more: vec![item],
        gift: Some(true),
        price: 0.0,
    };
    let response = exchange(
        CartsServer::new(Shop),
        "/shop.v1.Carts/Put",
        "proto",
        request.encode_to_vec(),
    )
    .await;
    let response = Item::decode(response.expect("it answers")).expect("it is an item");
    assert_eq!(response.name, PUT);
    let response = exchange(
        CartsServer::new(Shop),
        "/shop.v1.Carts/Clear",
        "proto",
        Bytes::new(),
    )
    .await;
    assert_eq!(response.expect("it answers"), Bytes::new());
}

async fn put(options: CallOptions) -> Result<Item> {
    let item = Item { name: "cup".into() };
    let stub = CartsClient::new(encoding_channel(CartsServer::new(Shop))).with_options(options);
    stub.put(
        7,
        item.clone(),
        vec!["a".into()],
        vec![9],
        vec![item],
        Some(true),
        0.0,
    )
    .await
}

#[tokio::test]
async fn the_caller_chooses_the_codec() {
    assert_eq!(
        put(CallOptions::new())
            .await
            .expect("the first is the default")
            .name,
        PUT
    );
    assert_eq!(
        put(CallOptions::new().with_codec("json"))
            .await
            .expect("it is offered")
            .name,
        PUT
    );
    let status = put(CallOptions::new().with_codec("msgpack"))
        .await
        .expect_err("it is not offered");
    assert_eq!(status.code(), Code::Unimplemented);
}

/// Writes what can be text.
#[derive(Debug)]
pub(crate) enum Text {}

impl Codec for Text {
    const NAME: &'static str = "text";
}

impl<T: ToString> Encode<T> for Text {
    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }
}

impl<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>> Decode<T> for Text {
    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        let text = std::str::from_utf8(&bytes).map_err(CodecError::new)?;
        text.parse().map_err(CodecError::new)
    }
}

#[rpc_codegen::service(package = "", codecs = [Text, Text2])]
pub(crate) trait Counter {
    async fn next(&self, number: u32) -> Result<u64>;
}

/// The same under another name.
#[derive(Debug)]
pub(crate) enum Text2 {}

impl Codec for Text2 {
    const NAME: &'static str = "text2";
}

impl<T: ToString> Encode<T> for Text2 {
    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        Text::encode(value, out)
    }
}

impl<T> Decode<T> for Text2
where
    Text: Decode<T>,
{
    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        Text::decode(bytes)
    }
}

struct PlusOne;

impl Counter for PlusOne {
    async fn next(&self, number: u32) -> Result<u64> {
        Ok(u64::from(number) + 1)
    }
}

#[tokio::test]
async fn a_codec_of_the_users_plugs_in() {
    let response = exchange(CounterServer::new(PlusOne), "/Counter/Next", "text2", "41")
        .await
        .expect("it answers");
    assert_eq!(response, "42");
}

/// What is nothing, under other names.
mod nothing {
    pub(super) type OutcomeResult<T> = rpc::Result<T>;
    pub(super) type Nothing = ();

    #[rpc_codegen::service(package = "nothing", name = "Doors")]
    pub(super) trait Plain {
        async fn open(&self, door: ()) -> rpc::Result<()>;
    }

    #[rpc_codegen::service(package = "nothing", name = "Doors")]
    pub(super) trait Aliased {
        async fn open(&self, door: Nothing) -> OutcomeResult<()>;
    }

    #[rpc_codegen::service(package = "nothing", name = "Doors", codecs = [MsgPack, Json])]
    pub(super) trait Named {
        async fn open(&self, door: Nothing) -> rpc::Result<Nothing>;
    }

    macro_rules! doors {
        ($nothing:ty) => {
            #[rpc_codegen::service(package = "nothing", name = "Doors", codecs = [MsgPack, Json])]
            pub(super) trait Expanded {
                async fn open(&self, door: $nothing) -> rpc::Result<$nothing>;
            }
        };
    }
    doors!(());

    pub(super) struct House;

    macro_rules! opened {
        ($($doors:ident)*) => {
            $(impl $doors for House {
                async fn open(&self, (): ()) -> rpc::Result<()> {
                    Ok(())
                }
            })*
        };
    }
    opened!(Plain Aliased Named Expanded);
}

#[tokio::test]
async fn nothing_is_the_same_bytes_whatever_it_is_called() {
    use nothing::{
        Aliased, AliasedServer, Expanded, ExpandedServer, House, Named, NamedServer, Plain, PlainServer,
    };

    macro_rules! each {
        ($($server:ident: $client:ident::$doors:ident,)*) => {$(
            for (codec, nothing) in [("json", &b"{}"[..]), ("msgpack", b"\x80")] {
                let answer = exchange($server::new(House), "/nothing.Doors/Open", codec, nothing).await;
                assert_eq!(answer.expect("it answers"), nothing, "{codec}");
            }
            let stub = nothing::$client::new(encoding_channel(PlainServer::new(House)));
            $doors::open(&stub, ()).await.expect("both say the same");
            let stub = nothing::PlainClient::new(encoding_channel($server::new(House)));
            stub.open(()).await.expect("both say the same");
        )*};
    }

    each! {
        PlainServer: PlainClient::Plain,
        AliasedServer: AliasedClient::Aliased,
        NamedServer: NamedClient::Named,
        ExpandedServer: ExpandedClient::Expanded,
    }
}
