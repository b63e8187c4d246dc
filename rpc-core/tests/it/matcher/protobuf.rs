//! Fields of messages of protobuf, by the descriptor of their service.

use std::{collections::HashMap, sync::LazyLock};

use bytes::BytesMut;
use prost::Message;
use rpc_core::{
    Body, Call, Method, MethodDescriptor, ServiceDescriptor, Shape,
    codec::{MessageCodec, Prost},
    matcher::{Condition, Matcher, Predicate},
    message::{Encoded, Typed},
};

#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(string, tag = "1")]
    region: String,
    #[prost(message, repeated, tag = "2")]
    items: Vec<Item>,
    #[prost(map = "string, string", tag = "3")]
    labels: HashMap<String, String>,
    #[prost(map = "uint32, message", tag = "4")]
    shelves: HashMap<u32, Item>,
    #[prost(uint32, optional, tag = "5")]
    priority: Option<u32>,
    #[prost(int32, tag = "6")]
    tier: i32,
    #[prost(sint64, tag = "7")]
    balance: i64,
    #[prost(int32, repeated, tag = "8")]
    codes: Vec<i32>,
    #[prost(double, tag = "9")]
    weight: f64,
    #[prost(bool, tag = "10")]
    express: bool,
    #[prost(bytes = "vec", tag = "11")]
    token: Vec<u8>,
    #[prost(fixed64, tag = "12")]
    serial: u64,
    #[prost(message, optional, tag = "13")]
    ship_to: Option<Address>,
    #[prost(string, optional, tag = "14")]
    card: Option<String>,
    #[prost(uint32, optional, tag = "15")]
    voucher: Option<u32>,
    #[prost(sfixed32, tag = "16")]
    offset: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(uint32, tag = "2")]
    count: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(string, tag = "1")]
    city: String,
    #[prost(int32, tag = "2")]
    number: i32,
}

static METHODS: [MethodDescriptor; 2] = [
    MethodDescriptor::new("/orders.v1.Orders/Place", Shape::Unary).codecs(&["proto"]),
    MethodDescriptor::new("/orders.v1.Orders/Import", Shape::ClientStreaming).codecs(&["proto"]),
];
static BARE: ServiceDescriptor = ServiceDescriptor::new("orders.v1.Orders", &METHODS);
static SERVICE: LazyLock<ServiceDescriptor> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
    let set = protox::compile(["orders.proto"], [folder]).expect("a legal file");
    BARE.clone().with_file_descriptor_set(set.encode_to_vec().leak())
});

fn order() -> Order {
    let item = |sku: &str, count| Item {
        sku: sku.to_owned(),
        count,
    };
    Order {
        region: "eu-1".to_owned(),
        items: vec![item("A1", 2), item("B2", 0)],
        labels: HashMap::from([
            ("tier".to_owned(), "gold".to_owned()),
            (String::new(), "none".to_owned()),
        ]),
        shelves: HashMap::from([(7, item("C3", 4)), (0, item("D4", 5))]),
        priority: None,
        tier: 7,
        balance: -12,
        codes: vec![3, -1, 0],
        weight: 1.5,
        express: true,
        token: b"abc".to_vec(),
        serial: u64::MAX,
        ship_to: Some(Address {
            city: "Graz".to_owned(),
            number: -4,
        }),
        card: Some(String::new()),
        voucher: None,
        offset: -9,
    }
}

fn rule(path: &str, predicate: Predicate) -> Matcher {
    let place = Condition::method(Predicate::equals("Place"));
    let field = Condition::field(path, predicate).expect("a path");
    let mut matcher = Matcher::new([place, field]).expect("sound");
    matcher
        .bind([&*SERVICE])
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    matcher
}

fn typed(order: Order) -> Call<'static> {
    let order = Typed::new(order, MessageCodec::of::<Prost>());
    Call::new(Method::Static(&METHODS[0]), "proto", Body::Boxed(Box::new(order)))
}

fn encoded(bytes: impl Into<bytes::Bytes>) -> Call<'static> {
    let bytes = bytes.into();
    Call::new(
        Method::Static(&METHODS[0]),
        "proto",
        Body::Encoded(Encoded { bytes }),
    )
}

#[test]
fn paths_lead_to_values() {
    let (typed, encoded) = (typed(order()), encoded(order().encode_to_vec()));
    let holds = |path: &str, predicate: Predicate| {
        let rule = rule(path, predicate);
        let holds = rule.matches(&typed);
        assert_eq!(rule.matches(&encoded), holds, "{path}");
        holds
    };
    for (path, value) in [
        ("region", "eu-1"),
        ("items[0].sku", "A1"),
        ("items[*].sku", "B2"),
        ("labels.tier", "gold"),
        ("labels.\"\"", "none"),
        ("labels[*]", "gold"),
        ("shelves.7.sku", "C3"),
        ("shelves.0.sku", "D4"),
        ("shelves[*].sku", "D4"),
        ("tier", "GOLD"),
        ("token", "abc"),
        ("ship_to.city", "Graz"),
        ("shipTo.city", "Graz"),
        ("card", ""),
    ] {
        assert!(holds(path, Predicate::equals(value)), "{path}");
        assert!(!holds(path, Predicate::equals("another")), "{path}");
    }
    for (path, value) in [
        ("items[0].count", 2_i64),
        // The default is not on the wire.
        ("items[1].count", 0),
        ("balance", -12),
        ("codes[0]", 3),
        ("codes[1]", -1),
        ("codes[*]", 0),
        ("ship_to.number", -4),
        ("offset", -9),
    ] {
        assert!(holds(path, Predicate::equals(value)), "{path}");
        assert!(!holds(path, Predicate::equals(1000)), "{path}");
    }
    assert!(holds("weight", Predicate::equals(1.5)));
    assert!(holds("express", Predicate::equals(true)));
    assert!(holds("serial", Predicate::equals(u64::MAX)));
    for there in [
        "items", "labels", "shelves", "codes", "ship_to", "items[1]", "card",
    ] {
        assert!(holds(there, Predicate::exists()), "{there}");
    }
    for missing in [
        "items[2]",
        "items[2].sku",
        "labels.none",
        "shelves.8",
        "priority",
        "voucher",
        "codes[3]",
    ] {
        assert!(!holds(missing, Predicate::exists()), "{missing}");
    }
}

#[test]
fn what_is_not_on_the_wire_is_the_default_or_missing() {
    let empty = typed(Order::default());
    assert!(rule("region", Predicate::equals("")).matches(&empty));
    assert!(rule("tier", Predicate::equals("NONE")).matches(&empty));
    assert!(rule("balance", Predicate::equals(0)).matches(&empty));
    assert!(rule("express", Predicate::equals(false)).matches(&empty));
    assert!(rule("weight", Predicate::equals(0)).matches(&empty));
    for missing in ["items", "ship_to", "ship_to.city", "priority", "card", "labels"] {
        assert!(!rule(missing, Predicate::exists()).matches(&empty), "{missing}");
    }
    // A number without a name.
    let unnamed = typed(Order {
        tier: -5,
        ..Order::default()
    });
    assert!(rule("tier", Predicate::equals(-5)).matches(&unnamed));
}

#[test]
fn what_others_may_write_is_read() {
    let codes = |bytes: &'static [u8], value: i64| {
        rule("codes[*]", Predicate::equals(value)).matches(&encoded(bytes))
    };
    // Not packed, packed, and both.
    assert!(codes(b"\x40\x05\x40\x06", 6) && codes(b"\x42\x02\x05\x06", 6));
    assert!(codes(b"\x40\x05\x42\x01\x06", 5) && codes(b"\x40\x05\x42\x01\x06", 6));
    assert!(rule("codes[1]", Predicate::equals(6)).matches(&encoded(b"\x40\x05\x42\x02\x06\x07".as_slice())));
    // The last one counts; unknown fields and groups are passed over.
    let twice = b"\x0a\x01a\xfa\x01\x02zz\xa3\x06\x08\x01\xa4\x06\x0a\x01b".as_slice();
    assert!(rule("region", Predicate::equals("b")).matches(&encoded(twice)));
}

#[test]
fn malformed_messages_have_no_fields() {
    for bytes in [
        b"\x0a\x05eu".as_slice(),
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b\x0b\x0b",
        b"\x00",
        b"\x08\x01",
        b"\x0a\x02\xff\xfe",
        b"\x0c",
        b"\x0d\x01",
    ] {
        assert!(
            !rule("region", Predicate::exists()).matches(&encoded(bytes)),
            "{bytes:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_walked(bytes in proptest::collection::vec(0_u8..80, 0..40)) {
        let call = encoded(bytes);
        for path in ["region", "items[*].count", "labels.a", "shelves[*].sku", "codes[1]", "ship_to.city"] {
            rule(path, Predicate::exists()).matches(&call);
        }
    }
}

#[test]
fn only_what_is_bound_and_protobuf_is_walked() {
    let bound = rule("region", Predicate::equals("eu-1"));
    let unbound = Matcher::new(bound.conditions().iter().cloned()).expect("sound");
    assert_eq!(bound, unbound);
    assert!(bound.matches(&typed(order())) && !unbound.matches(&typed(order())));
    let mut json = encoded(order().encode_to_vec());
    json.codec = "json".into();
    assert!(!bound.matches(&json));
}

#[test]
fn what_the_descriptor_does_not_have_is_refused() {
    let bind = |path: &str, service: &ServiceDescriptor| {
        let place = Condition::method(Predicate::equals("Place"));
        let field = Condition::field(path, Predicate::exists()).expect("a path");
        let mut matcher = Matcher::new([place, field]).expect("sound");
        let error = matcher.bind([service]).expect_err(path);
        assert_eq!(error.path(), "[1].on.field");
        error.problem().to_owned()
    };
    for (path, problem) in [
        (
            "regoin",
            "`regoin` is not there; there are: `region`, `items`, `labels`",
        ),
        (
            "items[0].name",
            "`items[0].name` is not there; there are: `sku`, `count`",
        ),
        ("items.sku", "`items.sku` leads into a list"),
        ("labels[0]", "`labels[0]` leads into a map"),
        ("region.x", "`region.x` leads into a value that has no parts"),
        ("labels.a.b", "`labels.a.b` leads into a value that has no parts"),
        (
            "codes[0][0]",
            "`codes[0][0]` leads into a value that has no parts",
        ),
        (
            "ship_to[0]",
            "`ship_to[0]` is not there; there are: `city`, `number`",
        ),
        ("[0]", "`[0]` is not there; there are: `region`"),
    ] {
        let error = bind(path, &SERVICE);
        assert!(error.contains(problem), "{path}: {error}");
    }
    assert!(bind("region", &BARE).contains("there is no way to find fields: list a codec"));
    let malformed = BARE.clone().with_file_descriptor_set(b"\x0a\x05");
    assert!(bind("region", &malformed).contains("file descriptor set is malformed"));
    let other = BARE.clone().with_file_descriptor_set(b"");
    assert!(bind("region", &other).contains("does not have `/orders.v1.Orders/Place`"));
    let mut import =
        Matcher::new([Condition::field("region", Predicate::exists()).expect("a path")]).expect("sound");
    assert!(
        import
            .bind([&*SERVICE])
            .expect_err("a stream")
            .problem()
            .contains("they are a stream")
    );
}

#[test]
fn a_value_that_was_taken_has_no_fields() {
    let mut value = Typed::new(order(), MessageCodec::of::<Prost>());
    assert!(value.take_value().is_some());
    let mut buffer = BytesMut::new();
    assert!(rpc_core::message::Value::encode(&value, &mut buffer).is_err());
    let call = Call::new(Method::Static(&METHODS[0]), "proto", Body::Boxed(Box::new(value)));
    assert!(!rule("region", Predicate::exists()).matches(&call));
}
