//! Codecs: round trips, evolution, and what a peer may send.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rpc_core::{
    Code, Result,
    codec::{Decode, Encode, Json, MessageCodec, MsgPack},
    status::reason,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Article {
    sku: String,
    count: u32,
    price: Option<i64>,
    tags: Vec<String>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Bundle(Vec<u8>),
    Sized { width: u16 },
}

fn article() -> impl Strategy<Value = Article> {
    let kind = prop_oneof![
        Just(Kind::Plain),
        any::<Vec<u8>>().prop_map(Kind::Bundle),
        any::<u16>().prop_map(|width| Kind::Sized { width }),
    ];
    (
        any::<String>(),
        any::<u32>(),
        any::<Option<i64>>(),
        any::<Vec<String>>(),
        kind,
    )
        .prop_map(|(sku, count, price, tags, kind)| Article {
            sku,
            count,
            price,
            tags,
            kind,
        })
}

fn encoded<C: Encode<T> + Decode<T>, T: 'static>(value: &T) -> Bytes {
    let mut out = BytesMut::new();
    MessageCodec::of::<C>()
        .encode(value, &mut out)
        .expect("it has a form in this codec");
    out.freeze()
}

fn decoded<C: Encode<T> + Decode<T>, T: 'static>(bytes: impl Into<Bytes>) -> Result<T> {
    MessageCodec::of::<C>().decode(bytes.into())
}

fn check_round_trip<C: Encode<Article> + Decode<Article>>(article: &Article) {
    let bytes = encoded::<C, _>(article);
    assert_eq!(
        &decoded::<C, Article>(bytes.clone()).expect("it is whole"),
        article
    );
    if let Some(len) = MessageCodec::of::<C>().encoded_len(article) {
        assert_eq!(len, bytes.len());
    }

    // In MessagePack a number, and an array that breaks off.
    for follows in [0, 0x91] {
        let mut longer = bytes.to_vec();
        longer.push(follows);
        assert_malformed(decoded::<C, Article>(longer));
    }
    assert_malformed(decoded::<C, Article>(bytes.slice(..bytes.len() - 1)));
}

fn assert_malformed<T: std::fmt::Debug>(outcome: Result<T>) {
    let status = outcome.expect_err("malformed");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Internal, Some(reason::MESSAGE_MALFORMED))
    );
}

proptest! {
    #[test]
    fn articles_round_trip(article in article()) {
        check_round_trip::<MsgPack>(&article);
        check_round_trip::<Json>(&article);
        #[cfg(feature = "postcard")]
        check_round_trip::<rpc_core::codec::Postcard>(&article);
        #[cfg(feature = "bincode")]
        check_round_trip::<rpc_core::codec::Bincode>(&article);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
        let _ = decoded::<MsgPack, Article>(bytes.clone());
        let _ = decoded::<Json, Article>(bytes.clone());
        #[cfg(feature = "postcard")]
        let _ = decoded::<rpc_core::codec::Postcard, Article>(bytes.clone());
        #[cfg(feature = "bincode")]
        let _ = decoded::<rpc_core::codec::Bincode, Article>(bytes);
    }
}

/// A later version of a message, with one field more and another order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newer {
    #[serde(default)]
    note: String,
    count: u32,
    sku: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Older {
    sku: String,
    count: u32,
}

fn check_evolution<C>()
where
    C: Encode<Newer> + Decode<Newer> + Encode<Older> + Decode<Older>,
{
    let old = Older {
        sku: "4711".into(),
        count: 3,
    };
    let new = Newer {
        note: "fragile".into(),
        count: 3,
        sku: "4711".into(),
    };
    assert_eq!(
        decoded::<C, Older>(encoded::<C, _>(&new)).expect("an unknown field is passed over"),
        old
    );
    let read = decoded::<C, Newer>(encoded::<C, _>(&old)).expect("a missing field has its default");
    assert_eq!(
        read,
        Newer {
            note: String::new(),
            ..new
        }
    );
}

#[test]
fn a_field_with_a_default_can_be_added_on_either_side() {
    check_evolution::<MsgPack>();
    check_evolution::<Json>();
}

#[test]
fn messages_may_be_small() {
    for value in [None, Some(())] {
        assert_eq!(
            decoded::<MsgPack, Option<()>>(encoded::<MsgPack, _>(&value)).expect("whole"),
            None
        );
    }
    assert_eq!(
        decoded::<MsgPack, Option<u8>>(encoded::<MsgPack, _>(&Some(7_u8))).expect("whole"),
        Some(7)
    );
    assert_malformed(decoded::<MsgPack, Option<u8>>(b"\xc0\x07".to_vec()));
    for breaks_off in [0x81, 0x91, 0xa1, 0xc4, 0xc7, 0xcc, 0xd4, 0xdc, 0xdf] {
        assert_malformed(decoded::<MsgPack, u32>(vec![5, breaks_off]));
        assert_malformed(decoded::<MsgPack, u32>(vec![5, 0x91, breaks_off]));
    }
    assert_malformed(decoded::<MsgPack, ()>(Vec::new()));
    assert_malformed(decoded::<Json, ()>(Vec::new()));
}

#[test]
fn a_failure_does_not_repeat_the_message() {
    let text = format!("\"{}\"", "x".repeat(100_000));
    let status = decoded::<Json, u32>(text).expect_err("it is no number");
    assert!(status.message().len() < 400, "{} bytes", status.message().len());
}

/// A message that holds itself.
#[derive(Debug, Serialize, Deserialize)]
struct Node {
    next: Option<Box<Node>>,
}

/// The same without a byte of its own for a level.
#[derive(Debug, Serialize, Deserialize)]
struct Bare(Option<Box<Bare>>);

#[derive(Debug, Serialize, Deserialize)]
enum Filter {
    Not(Box<Filter>),
    Any(Vec<Filter>),
}

#[test]
fn nesting_is_bounded() {
    let depth = 100_000;
    // Where nobody knows the field.
    let mut unknown = b"\x81\xa1x".to_vec();
    unknown.resize(depth, 0x91);
    assert_malformed(decoded::<MsgPack, Older>(unknown));
    assert_malformed(decoded::<MsgPack, Node>(b"\x81\xa4next".repeat(depth)));
    assert_malformed(decoded::<MsgPack, Filter>(b"\x81\x00".repeat(depth)));
    assert_malformed(decoded::<MsgPack, Filter>(b"\x81\xa3Not".repeat(depth)));
    assert_malformed(decoded::<MsgPack, Filter>(b"\x81\xa3Any\x91".repeat(depth)));
    assert_malformed(decoded::<MsgPack, Bare>(vec![1]));
    assert_malformed(decoded::<Json, Node>(br#"{"next":"#.repeat(depth)));
    assert_malformed(decoded::<Json, Filter>(br#"{"Not":"#.repeat(depth)));
    assert_malformed(decoded::<Json, Bare>(b"1".to_vec()));
    #[cfg(feature = "postcard")]
    assert_malformed(decoded::<rpc_core::codec::Postcard, Node>(vec![1; depth]));
    #[cfg(feature = "bincode")]
    assert_malformed(decoded::<rpc_core::codec::Bincode, Node>(vec![1; depth]));
}

#[test]
fn what_nests_a_little_is_read() {
    fn check<C: Encode<Node> + Decode<Node>>() {
        let mut node = Node { next: None };
        for _ in 0..20 {
            node = Node {
                next: Some(Box::new(node)),
            };
        }
        let read: Node = decoded::<C, _>(encoded::<C, _>(&node)).expect("whole");
        let nodes = std::iter::successors(Some(&read), |node| node.next.as_deref());
        assert_eq!(nodes.count(), 21);
    }

    check::<MsgPack>();
    check::<Json>();
    #[cfg(feature = "postcard")]
    check::<rpc_core::codec::Postcard>();
    #[cfg(feature = "bincode")]
    check::<rpc_core::codec::Bincode>();
}

/// Lengths that a few bytes claim.
#[test]
fn lengths_are_not_believed() {
    assert_malformed(decoded::<MsgPack, String>(b"\xdb\xff\xff\xff\xff".to_vec()));
    assert_malformed(decoded::<MsgPack, Vec<u64>>(b"\xdd\xff\xff\xff\xff".to_vec()));
    #[cfg(feature = "postcard")]
    {
        use rpc_core::codec::Postcard;
        let huge = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_malformed(decoded::<Postcard, String>(huge.clone()));
        assert_malformed(decoded::<Postcard, Vec<u64>>(huge));
    }
    #[cfg(feature = "bincode")]
    {
        use rpc_core::codec::Bincode;
        let huge = vec![253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_malformed(decoded::<Bincode, String>(huge.clone()));
        assert_malformed(decoded::<Bincode, Vec<u64>>(huge.clone()));
        assert_malformed(decoded::<Bincode, std::collections::HashMap<u64, u64>>(huge));
    }
}

#[cfg(feature = "prost")]
mod prost {
    use prost::Message;
    use rpc_core::codec::{MessageCodec, Prost};

    use super::{assert_malformed, decoded, encoded};

    #[derive(Clone, PartialEq, Message)]
    struct Article {
        #[prost(string, tag = "1")]
        sku: String,
        #[prost(uint32, tag = "2")]
        count: u32,
    }

    #[test]
    fn messages_of_protobuf() {
        let article = Article {
            sku: "4711".into(),
            count: 3,
        };
        let bytes = encoded::<Prost, _>(&article);
        assert_eq!(&bytes[..], b"\x0a\x044711\x10\x03");
        assert_eq!(
            MessageCodec::of::<Prost>().encoded_len(&article),
            Some(bytes.len())
        );
        assert_eq!(decoded::<Prost, Article>(bytes.clone()).expect("whole"), article);
        assert_malformed(decoded::<Prost, Article>(bytes.slice(..bytes.len() - 1)));
        // Bytes that follow are further fields: an unknown one is passed over, anything else is malformed.
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_malformed(decoded::<Prost, Article>(longer));
    }
}
