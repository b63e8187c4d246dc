//! Whatever is written: it is understood, or refused, and what is understood can be written again.

use proptest::prelude::*;
use rpc_registry::{
    Instance, InstanceAddress, InstanceState, Target,
    record::plain::{self, Plain},
};

/// Text that looks like what is read.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z+]{0,8}:/{0,3}[a-z0-9.,:@%\\[\\]]{0,24}/?[a-z%?&=]{0,16}",
        "(grpc|http|unix|local|)(://|:|)[a-z0-9.:\\[\\]/]{0,24}(:[0-9]{0,6})?",
    ]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let fields = prop::sample::select(vec![
        "id",
        "endpoints",
        "weight",
        "lane",
        "groups",
        "zone",
        "version",
        "metadata",
        "started_at_ms",
        "state",
        "unknown",
        "other",
    ]);
    leaf.prop_recursive(3, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(fields.clone().prop_map(ToOwned::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn instance() -> impl Strategy<Value = Instance> {
    let state = prop::sample::select(vec![
        InstanceState::Up,
        InstanceState::Draining,
        InstanceState::Disabled,
    ]);
    let map = || prop::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    (
        "[ -~]{1,40}",
        0..=1_000_000_u32,
        state,
        prop::collection::vec("[a-z]{1,8}", 0..4),
        map(),
        map(),
        any::<u16>().prop_filter("port 0", |port| *port > 0),
        prop::option::of(any::<String>()),
    )
        .prop_map(|(id, weight, state, groups, metadata, unknown, port, zone)| {
            let mut instance = Instance::new(id)
                .with_weight(weight)
                .with_state(state)
                .with_address("grpc", format!("10.0.0.1:{port}").parse().unwrap())
                .with_any_address("unix:/run/shop.sock".parse().unwrap());
            instance.groups = groups.into_iter().map(Into::into).collect();
            instance.metadata = metadata;
            instance.unknown = unknown;
            instance.zone = zone.map(Into::into);
            instance
        })
}

proptest! {
    #[test]
    fn targets(text in text()) {
        if let Ok(target) = text.parse::<Target>() {
            prop_assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        }
    }

    #[test]
    fn addresses(text in text()) {
        if let Ok(address) = text.parse::<InstanceAddress>() {
            prop_assert_eq!(address.to_string().parse::<InstanceAddress>().unwrap(), address);
        }
    }

    #[test]
    fn records(value in json()) {
        if let Ok(instance) = plain::read(&value, "place") {
            prop_assert!(instance.check().is_ok());
        }
    }

    #[test]
    fn what_is_written_is_read(instance in instance()) {
        let value = serde_json::to_value(Plain::from(&instance)).unwrap();
        prop_assert_eq!(plain::read(&value, "place").unwrap(), instance);
    }
}
