//! Asking a matcher allocates nothing. A binary of its own: it counts what its thread asks of the allocator.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
    sync::Arc,
};

use rpc_core::{
    Body, Call, Context, Method, MethodDescriptor, Shape,
    codec::{Json, MessageCodec},
    context::{Baggage, Caller, Lane},
    matcher::{Matcher, RequestKey},
    message::Typed,
};
use serde::{Deserialize, Serialize};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code)]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps what `alloc` asks of it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps what `dealloc` asks of it.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Serialize, Deserialize)]
struct Order {
    region: String,
    from: std::net::IpAddr,
    items: Vec<Item>,
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
    count: Option<u32>,
}

static METHOD: MethodDescriptor = MethodDescriptor::new("/shop.v1.Shop/Place", Shape::Unary);

#[test]
fn asking_allocates_nothing() {
    let rule: Matcher = serde_json::from_str(
        r#"[
        {"on": "service", "prefix": "shop."},
        {"on": "method", "in": ["Find", "Place"]},
        {"on": {"metadata": "x-tenant"}, "regex": "a(cm|.m)e"},
        {"on": {"baggage": "tier"}, "equals": "gold"},
        {"on": "lane", "exists": true},
        {"on": "caller", "equals": "cart"},
        {"on": "caller_address", "cidr": "10.0.0.0/8"},
        {"on": "caller_address", "prefix": "10.1."},
        {"on": "request", "percent": 100},
        {"on": {"field": "region"}, "prefix": "eu-"},
        {"on": {"field": "from"}, "cidr": "10.0.0.0/8"},
        {"on": {"field": "items[*].count"}, "range": {"min": 2}},
        {"on": {"field": "labels.tier"}, "hash": {"modulo": 1, "in": [0]}},
        {"on": {"field": "items[0].count"}, "hash": {"modulo": 1, "in": [0]}},
        {"any": [{"on": "lane", "equals": "a"}, {"on": "lane", "equals": "gray"}]}
    ]"#,
    )
    .expect("a rule");
    let order = Order {
        region: "eu-1".to_owned(),
        from: [10, 0, 0, 1].into(),
        items: vec![Item {
            sku: "A1".to_owned(),
            count: Some(2),
        }],
        labels: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
    };
    let mut order = Typed::new(order, MessageCodec::of::<Json>());
    let mut call = Call::new(Method::Static(&METHOD), "json", Body::Value(&mut order));
    call.metadata.insert("x-tenant", "acme").expect("legal");
    let address = "10.1.2.3:80".parse().expect("an address");
    let caller = Caller::new("grpc").with_addresses(None, Some(address));
    call.context = Context::new()
        .with_lane(Lane::new("gray").expect("legal"))
        .with_baggage(Baggage::new().with("tier", "gold").expect("legal"))
        .with_caller(Arc::new(caller.with_application("cart")));
    RequestKey::draw(&mut call);

    // An expression makes its room when it is first asked.
    assert!(rule.matches(&call));
    let before = COUNT.get();
    for _ in 0..100 {
        assert!(rule.matches(&call));
    }
    assert_eq!(COUNT.get() - before, 0);
}
