//! Fields of a request, by its own `Serialize`.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use rpc_core::{
    Body, MethodDescriptor, ServiceDescriptor, Shape,
    codec::{Codec, CodecError, Decode, Encode, Json, MessageCodec},
    matcher::{Condition, Matcher, Predicate},
    message::{FieldPath, FieldValue, Typed, expected_field, serialized_field},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{call, call_with};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    region: String,
    placed_at: u64,
    items: Vec<Item>,
    labels: BTreeMap<String, String>,
    shelves: HashMap<u16, Item>,
    note: Option<String>,
    ship_to: Option<Box<Address>>,
    pay: Pay,
    urgent: bool,
    weight: f32,
    pair: (i8, Item),
    ip: IpAddr,
    total: i128,
    initial: char,
    nothing: (),
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    tags: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    sku: Sku,
    count: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sku(String);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Address {
    city: String,
    next: Option<Box<Address>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pay {
    Later,
    Voucher(u32),
    Card { number: String, year: u16 },
    Split(u32, Item),
}

fn item(sku: &str, count: u32) -> Item {
    Item {
        sku: Sku(sku.to_owned()),
        count,
    }
}

fn order() -> Order {
    Order {
        region: "eu-1".to_owned(),
        placed_at: u64::MAX,
        items: vec![item("A1", 2), item("B2", 3)],
        labels: BTreeMap::from([
            ("a b.c".to_owned(), "1".to_owned()),
            ("tier".to_owned(), "gold".to_owned()),
        ]),
        shelves: HashMap::from([(7, item("C3", 4))]),
        note: None,
        ship_to: Some(Box::new(Address {
            city: "Graz".to_owned(),
            next: None,
        })),
        pay: Pay::Card {
            number: "4111".to_owned(),
            year: 2031,
        },
        urgent: true,
        weight: 1.5,
        pair: (-3, item("D4", 5)),
        ip: IpAddr::from([10, 1, 2, 3]),
        total: i128::from(u64::MAX),
        initial: 'ä',
        nothing: (),
        tags: Vec::new(),
    }
}

fn path(text: &str) -> FieldPath {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What is found, written out.
fn found<T: Serialize>(value: &T, at: &str) -> Vec<String> {
    let mut values = Vec::new();
    serialized_field(value, &path(at), &mut |value| values.push(shown(value)));
    values
}

fn shown(value: FieldValue<'_>) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Signed(value) => format!("{value}i"),
        FieldValue::Unsigned(value) => format!("{value}u"),
        FieldValue::Float(value) => format!("{value}f"),
        FieldValue::Text(value) => value.to_owned(),
        FieldValue::Bytes(value) => format!("{value:?}"),
        FieldValue::Composite => "...".to_owned(),
        other => panic!("{other:?} is new"),
    }
}

#[test]
fn paths_lead_to_values() {
    let order = order();
    for (at, values) in [
        ("region", &["eu-1"][..]),
        ("placedAt", &["18446744073709551615u"]),
        ("placed_at", &[]),
        ("items", &["..."]),
        ("items[0]", &["..."]),
        ("items[0].sku", &["A1"]),
        ("items[1].count", &["3u"]),
        ("items[2].count", &[]),
        ("items[*].sku", &["A1", "B2"]),
        ("items.sku", &[]),
        ("labels.tier", &["gold"]),
        ("labels.\"a b.c\"", &["1"]),
        ("labels.none", &[]),
        ("labels[*]", &["1", "gold"]),
        ("shelves.7.count", &["4u"]),
        ("shelves.8.count", &[]),
        ("note", &[]),
        ("note.more", &[]),
        ("shipTo", &["..."]),
        ("shipTo.city", &["Graz"]),
        ("shipTo.next.city", &[]),
        ("pay", &["card"]),
        ("pay.card", &["..."]),
        ("pay.card.year", &["2031u"]),
        ("pay.voucher", &[]),
        ("pay.later", &[]),
        ("urgent", &["true"]),
        ("weight", &["1.5f"]),
        ("pair[0]", &["-3i"]),
        ("pair[1].sku", &["D4"]),
        ("pair[*]", &["-3i", "..."]),
        ("ip", &["10.1.2.3"]),
        ("total", &["18446744073709551615u"]),
        ("initial", &["ä"]),
        ("nothing", &[]),
        ("tags", &[]),
        ("region.more", &[]),
        ("region[0]", &[]),
    ] {
        assert_eq!(found(&order, at), values, "{at}");
    }
}

#[test]
fn variants_lead_to_what_they_hold() {
    let voucher = Order {
        pay: Pay::Voucher(9),
        ..order()
    };
    assert_eq!(found(&voucher, "pay"), ["voucher"]);
    assert_eq!(found(&voucher, "pay.voucher"), ["9u"]);
    let later = Order {
        pay: Pay::Later,
        ..order()
    };
    assert_eq!(found(&later, "pay"), ["later"]);
    let split = Order {
        pay: Pay::Split(1, item("E5", 6)),
        ..order()
    };
    assert_eq!(found(&split, "pay.split[1].count"), ["6u"]);
}

/// Goes down without a name.
#[derive(Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

#[test]
fn a_chain_without_names_ends() {
    let mut chain = Chain(None);
    for _ in 0..1000 {
        chain = Chain(Some(Box::new(chain)));
    }
    assert_eq!(found(&chain, "a"), [""; 0]);
    assert_eq!(expected_field::<Chain>(&path("a")), Ok(()));
}

#[test]
fn a_type_says_which_fields_it_may_have() {
    for at in [
        "region",
        "items[3].sku",
        "items[*].count",
        "items",
        "labels.anything",
        "labels[*]",
        "shelves.7.sku",
        "shipTo.next.next.city",
        "pay",
        "pay.card.year",
        "pay.voucher",
        "pay.split[1]",
        "pair[1].sku",
        "ip",
        "tags[0]",
    ] {
        assert_eq!(expected_field::<Order>(&path(at)), Ok(()), "{at}");
    }
    for (at, problem) in [
        (
            "regoin",
            "`regoin` is not there; there are: `region`, `placedAt`, `items`",
        ),
        (
            "items[0].name",
            "`items[0].name` is not there; there are: `sku`, `count`",
        ),
        (
            "items.sku",
            "`items.sku` leads into a list: write a position, `[0]`, or `[*]`",
        ),
        (
            "shipTo.town",
            "`shipTo.town` is not there; there are: `city`, `next`",
        ),
        (
            "pay.cash",
            "`pay.cash` is not there; there are: `later`, `voucher`, `card`, `split`",
        ),
        (
            "pay.card.cvc",
            "`pay.card.cvc` is not there; there are: `number`, `year`",
        ),
        (
            "pay.later.now",
            "`pay.later.now` leads into a value that has no parts",
        ),
        ("pair[2]", "`pair[2]` leads into a list of 2"),
        ("labels[0]", "`labels[0]` leads into a map: write a key, or `[*]`"),
        ("urgent.x", "`urgent.x` leads into a value that has no parts"),
    ] {
        let error = expected_field::<Order>(&path(at)).expect_err(at).to_string();
        assert!(error.starts_with(problem), "{at}: {error}");
    }
}

#[derive(Serialize, Deserialize)]
struct Open {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
    kind: Tagged,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Circle { radius: f64 },
}

#[test]
fn types_that_leave_open_what_they_read_are_believed() {
    let open = Open {
        name: "a".to_owned(),
        rest: BTreeMap::from([("extra".to_owned(), 1)]),
        kind: Tagged::Circle { radius: 2.0 },
    };
    for (at, value) in [
        ("name", "a"),
        ("extra", "1u"),
        ("kind.type", "Circle"),
        ("kind.radius", "2f"),
    ] {
        assert_eq!(found(&open, at), [value], "{at}");
        assert_eq!(expected_field::<Open>(&path(at)), Ok(()), "{at}");
    }
    assert_eq!(expected_field::<Open>(&path("whatever")), Ok(()));
    assert!(expected_field::<Open>(&path("name.x")).is_err());
}

#[test]
fn conditions_look_at_fields() {
    let rule = |path: &str, predicate: Predicate| {
        Matcher::new([Condition::field(path, predicate).expect("a path")]).expect("sound")
    };
    let call = call_with(order());
    assert!(rule("region", Predicate::prefix("eu-")).matches(&call));
    assert!(rule("items[*].sku", Predicate::equals("B2")).matches(&call));
    assert!(rule("items[*].count", Predicate::at_least(3)).matches(&call));
    assert!(!rule("items[*].count", Predicate::at_least(4)).matches(&call));
    assert!(rule("items", Predicate::exists()).matches(&call));
    assert!(rule("note", Predicate::exists().negated()).matches(&call));
    assert!(rule("ip", Predicate::cidr(["10.0.0.0/8"]).expect("a network")).matches(&call));
    // Of another kind than what is asked for.
    assert!(!rule("region", Predicate::at_least(0)).matches(&call));
    assert!(!rule("urgent", Predicate::prefix("t")).matches(&call));
    assert!(!rule("items", Predicate::equals("A1")).matches(&call));
    let all = Predicate::percent(100.0).expect("a percentage");
    assert!(rule("region", all.clone()).matches(&call) && !rule("items", all).matches(&call));
}

#[test]
fn lent_values_have_fields_and_streams_have_none() {
    let rule = Matcher::new([Condition::field("region", Predicate::equals("eu-1")).expect("a path")]);
    let mut rule = rule.expect("sound");
    let mut lent = Typed::new(order(), MessageCodec::of::<Json>());
    let mut lent_call = call();
    let mut by_value = rpc_core::Call::new(lent_call.method.clone(), "json", Body::Value(&mut lent));
    assert!(rule.matches(&by_value));
    // It was taken.
    drop(by_value.body.take_owned());
    assert!(!rule.matches(&by_value));
    lent_call.body = Body::Empty;
    assert!(!rule.matches(&lent_call));

    let error = rule.bind([&STREAMS]).expect_err("streams have none");
    assert_eq!(error.path(), "[0].on.field");
    assert!(
        error
            .problem()
            .contains("requests of `/shop.v1.Import/Import`: they are a stream"),
        "{error}"
    );
}

static METHODS: [MethodDescriptor; 2] = [
    MethodDescriptor::new("/shop.v1.Shop/Place", Shape::Unary).request_fields(expected_field::<Order>),
    MethodDescriptor::new("/shop.v1.Shop/Find", Shape::Unary),
];
static SERVICE: ServiceDescriptor = ServiceDescriptor::new("shop.v1.Shop", &METHODS);
static STREAM: [MethodDescriptor; 1] =
    [
        MethodDescriptor::new("/shop.v1.Import/Import", Shape::ClientStreaming)
            .request_fields(expected_field::<Order>),
    ];
static STREAMS: ServiceDescriptor = ServiceDescriptor::new("shop.v1.Import", &STREAM);

#[test]
fn only_methods_that_are_meant_are_looked_at() {
    let field = |path: &str| Condition::field(path, Predicate::exists()).expect("a path");
    let method = |name: &str| Condition::method(Predicate::equals(name));
    let bind = |conditions: Vec<Condition>| Matcher::new(conditions).expect("sound").bind([&SERVICE]);

    let error = bind(vec![field("region")]).expect_err("`Find` has no way");
    assert!(
        error
            .problem()
            .contains("`/shop.v1.Shop/Find`: there is no way to find fields"),
        "{error}"
    );
    assert_eq!(bind(vec![method("Place"), field("region")]), Ok(()));
    assert_eq!(bind(vec![field("region"), method("Find").negated()]), Ok(()));
    assert_eq!(bind(vec![method("Other"), field("nonsense")]), Ok(()));
    assert_eq!(
        bind(vec![
            Condition::service(Predicate::prefix("other.")),
            field("nonsense")
        ]),
        Ok(())
    );
    let error = bind(vec![method("Place"), field("regoin")]).expect_err("there is none");
    assert_eq!(error.path(), "[1].on.field");
    assert!(
        error
            .problem()
            .contains("`/shop.v1.Shop/Place`: `regoin` is not there; there are: `region`")
    );

    // Inside of others, each list for itself.
    let either = |first: &str, second: &str| {
        Condition::any([
            Condition::all([method("Place"), field(first)]),
            Condition::all([method("Missing"), field(second)]),
        ])
    };
    assert_eq!(bind(vec![either("region", "nonsense")]), Ok(()));
    let error = bind(vec![either("nonsense", "region")]).expect_err("there is none");
    assert_eq!(error.path(), "[0].any[0].all[1].on.field");
    // Whatever the lane is, the method may be meant.
    let open = Condition::any([method("Other"), Condition::lane(Predicate::exists())]);
    assert!(bind(vec![open, field("nonsense")]).is_err());
}

/// A codec that cannot find fields.
enum Opaque {}

impl Codec for Opaque {
    const NAME: &'static str = "opaque";
}

impl<T: Serialize> Encode<T> for Opaque {
    fn encode(value: &T, out: &mut bytes::BytesMut) -> Result<(), CodecError> {
        Json::encode(value, out)
    }
}

impl<T: DeserializeOwned> Decode<T> for Opaque {
    fn decode(bytes: bytes::Bytes) -> Result<T, CodecError> {
        Json::decode(bytes)
    }
}

#[test]
fn a_codec_may_find_fields_as_another_one_does() {
    let rule = Matcher::new([Condition::field("region", Predicate::exists()).expect("a path")]);
    let rule = rule.expect("sound");
    let matches = |codec: MessageCodec<Order>| {
        let mut call = call();
        call.body = Body::Boxed(Box::new(Typed::new(order(), codec)));
        rule.matches(&call)
    };
    assert!(matches(MessageCodec::of::<Json>()));
    assert!(!matches(MessageCodec::of::<Opaque>()));
    assert!(MessageCodec::<Order>::of::<Opaque>().field_check().is_none());
    let with = MessageCodec::<Order>::with_fields_of::<Opaque, Json>();
    assert_eq!(with.name(), "opaque");
    assert!(with.field_check().is_some() && matches(with));
}

/// Panics when somebody looks.
#[derive(Deserialize)]
struct Touchy;

impl Serialize for Touchy {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("of the message's own")
    }
}

#[test]
fn a_message_that_panics_has_no_fields() {
    let rule = Matcher::new([Condition::field("region", Predicate::exists().negated()).expect("a path")]);
    assert!(rule.expect("sound").matches(&call_with(Touchy)));
}
