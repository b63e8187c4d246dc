//! What is written is read as it was, and what is not known is kept.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use rpc_core::context::Lane;
use rpc_registry::{Instance, InstanceState, record::Layout};

use super::{directory, read, write};

fn instance() -> impl Strategy<Value = Instance> {
    let name = "[a-z][a-z0-9.-]{0,20}";
    let endpoint = (any::<[u8; 4]>(), 1u16..);
    let main = (name, endpoint, 1u32..1_000_000, prop::option::of(name));
    let more = (
        prop::option::of(name),
        prop::option::of(name),
        prop::collection::vec(name, 0..3),
        prop::collection::btree_map("x[a-z.]{0,10}", ".{0,20}", 0..4),
        prop::option::of(0u64..4_000_000_000_000),
        0usize..3,
    );
    (main, more).prop_map(
        |((id, (ip, port), weight, lane), (zone, version, groups, metadata, started, state))| {
            let mut instance = Instance::new(id)
                .with_address("grpc", std::net::SocketAddr::from((ip, port)).into())
                .with_weight(weight)
                .with_lane(lane.and_then(|lane| Lane::new(&lane).ok()))
                .with_state(
                    [
                        InstanceState::Up,
                        InstanceState::Draining,
                        InstanceState::Disabled,
                    ][state],
                );
            instance.zone = zone.map(Into::into);
            instance.version = version.map(Into::into);
            instance.groups = groups.into_iter().map(Into::into).collect();
            instance.metadata = metadata;
            instance.started_at = started.map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
            instance
        },
    )
}

proptest! {
    #[test]
    fn kratos_says_everything(instance in instance()) {
        let record = write(Layout::Kratos, &instance);
        prop_assert_eq!(read(Layout::Kratos, instance.id.as_str(), record.as_bytes()).unwrap(), instance);
    }

    #[test]
    fn grpc_naming_says_everything(instance in instance()) {
        let record = write(Layout::Grpc, &instance);
        prop_assert_eq!(read(Layout::Grpc, instance.id.as_str(), record.as_bytes()).unwrap(), instance);
    }

    #[test]
    fn kitex_says_everything_but_the_protocol(mut instance in instance()) {
        let record = write(Layout::Kitex, &instance);
        for at in &mut instance.addresses {
            at.protocol = None;
        }
        prop_assert_eq!(read(Layout::Kitex, "any", record.as_bytes()).unwrap(), instance);
    }

    #[test]
    fn go_micro_says_everything_and_who_speaks(mut instance in instance()) {
        let record = write(Layout::GoMicro, &instance);
        for key in ["protocol", "server", "transport"] {
            instance.metadata.insert(key.to_owned(), "grpc".to_owned());
        }
        instance.metadata.insert("registry".to_owned(), "etcd".to_owned());
        instance.version.get_or_insert("latest".into());
        prop_assert_eq!(read(Layout::GoMicro, "any", record.as_bytes()).unwrap(), instance);
    }
}

/// A field of tomorrow, a number that no float holds, an object whose order matters to somebody.
const UNKNOWN: &str = r#"{"b":1,"a":[12345678901234567890123,1.10]}"#;

#[test]
fn unknown_fields_are_kept_as_they_were_written() {
    let records = [
        (
            Layout::Kratos,
            format!(
                r#"{{"id":"a","name":"shop","version":"","metadata":null,"endpoints":["grpc://h:1"],"future":{UNKNOWN}}}"#
            ),
        ),
        (
            Layout::Grpc,
            format!(r#"{{"Op":0,"Addr":"h:1","Metadata":{{"future":{UNKNOWN}}},"future":{UNKNOWN}}}"#),
        ),
        (
            Layout::Grpc,
            r#"{"Op":0,"Addr":"h:1","Metadata":"a text"}"#.to_owned(),
        ),
        (
            Layout::Kitex,
            format!(r#"{{"network":"tcp","address":"h:1","weight":10,"tags":null,"future":{UNKNOWN}}}"#),
        ),
    ];
    for (layout, record) in records {
        let tail = if layout == Layout::Kitex { "h:1" } else { "a" };
        let instance = read(layout, tail, record.as_bytes()).unwrap();
        assert_eq!(write(layout, &instance), record, "{layout}");
    }
    let record = format!(
        r#"{{"name":"shop","version":"v1","metadata":null,"endpoints":null,"nodes":[{{"metadata":{{}},"id":"a","address":"h:1","near":{UNKNOWN}}}],"future":{UNKNOWN}}}"#
    );
    let instance = read(Layout::GoMicro, "a", record.as_bytes()).unwrap();
    let again = write(Layout::GoMicro, &instance);
    assert!(again.contains(&format!(r#""near":{UNKNOWN}"#)), "{again}");
    assert!(
        again.ends_with(&format!(r#"}}],"future":{UNKNOWN}}}"#)),
        "{again}"
    );
}

#[test]
fn an_operators_mark_survives() {
    let instance = Instance::new("10.0.0.1:1")
        .with_address("grpc", "10.0.0.1:1".parse().unwrap())
        .with_metadata(Instance::OPERATOR, "1")
        .with_state(InstanceState::Disabled);
    for layout in [Layout::Kratos, Layout::Grpc, Layout::GoMicro, Layout::Kitex] {
        let found = read(layout, "10.0.0.1:1", write(layout, &instance).as_bytes()).unwrap();
        assert!(found.metadata.contains_key(Instance::OPERATOR), "{layout}");
        assert_eq!(found.state, InstanceState::Disabled, "{layout}");
        let key = directory(layout).key(&found, 1).unwrap();
        assert!(key.ends_with("/10.0.0.1:1"), "{key}");
    }
}
