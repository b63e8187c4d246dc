//! What cannot be understood is named, and hides nothing else.

use proptest::prelude::*;
use rpc_registry::{
    FaultKind, Instance, InstanceState,
    record::{Directory, Layout},
};

use super::{ALL, directory, read, write};

fn complaint(layout: Layout, record: &str) -> String {
    let fault = read(layout, "a", record.as_bytes()).expect_err(record);
    assert_eq!(fault.kind(), FaultKind::Invalid);
    fault.to_string()
}

#[test]
fn errors_name_the_field() {
    let large = format!(r#"{{"id":"a","name":"shop","x":"{}"}}"#, "x".repeat(200_000));
    let cases: &[(Layout, &str, &str)] = &[
        (Layout::Kratos, "", "`record`"),
        (Layout::Kratos, "[]", "`record`"),
        (Layout::Kratos, &large, "`record`"),
        (Layout::Kratos, r#"{"name":"shop"}"#, "`id`"),
        (Layout::Kratos, r#"{"id":7,"name":"shop"}"#, "`id`"),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","endpoints":["h:1","grpc://h"]}"#,
            "`endpoints[0]`",
        ),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","endpoints":["grpc://h:0"]}"#,
            "`endpoints[0]`",
        ),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","endpoints":["grpc://h"]}"#,
            "`endpoints[0]`",
        ),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","metadata":{"weight":"heavy"}}"#,
            "`metadata.weight`",
        ),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","metadata":{"color":"a b"}}"#,
            "`metadata.color`",
        ),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","metadata":{"rpc.state":"odd"}}"#,
            "`metadata.rpc.state`",
        ),
        (
            Layout::Kratos,
            r#"{"id":"a","name":"shop","metadata":{"weight":"99999999"}}"#,
            "`weight`",
        ),
        (Layout::GoZero, "10.0.0.1", "`record`"),
        (Layout::GoZero, "unix:/run/x", "`record`"),
        (Layout::Grpc, r#"{"Op":0}"#, "`Addr`"),
        (
            Layout::Grpc,
            r#"{"Op":0,"Addr":"h:1","Metadata":{"weight":[]}}"#,
            "`Metadata.weight`",
        ),
        (Layout::GoMicro, r#"{"name":"shop"}"#, "`nodes`"),
        (
            Layout::GoMicro,
            r#"{"nodes":[{"address":"h:1"}]}"#,
            "`nodes[0].id`",
        ),
        (
            Layout::GoMicro,
            r#"{"nodes":[{"id":"x","address":"h"}]}"#,
            "`nodes[0].address`",
        ),
        (Layout::Kitex, r#"{"network":"tcp"}"#, "`address`"),
        (
            Layout::Kitex,
            r#"{"network":"carrier-pigeon","address":"h:1"}"#,
            "`network`",
        ),
        (
            Layout::Kitex,
            r#"{"network":"tcp","address":"h:1","weight":"x"}"#,
            "`weight`",
        ),
    ];
    for (layout, record, field) in cases {
        let complaint = complaint(*layout, record);
        assert!(complaint.contains(field), "{layout}: {complaint}");
        assert!(complaint.len() < 400, "{layout}: {complaint}");
    }
}

#[test]
fn a_bad_node_hides_no_other() {
    let record = br#"{"name":"shop","version":"v1","nodes":[
        {"id":"a","address":"10.0.0.1:1"},{"id":"b","address":"nowhere"},7,{"id":"c","address":"10.0.0.3:1"}]}"#;
    let records = directory(Layout::GoMicro).read(b"/micro/registry/shop/a", record);
    let good: Vec<_> = records
        .iter()
        .flatten()
        .map(|instance| instance.id.as_str())
        .collect();
    assert_eq!(good, ["a", "c"]);
    let bad: Vec<_> = records
        .iter()
        .filter_map(|record| record.as_ref().err())
        .collect();
    assert_eq!(bad.len(), 2);
    assert_eq!(bad[0].id.as_str(), "b");
    assert!(bad[1].fault.to_string().contains("`nodes[2]`"));
}

#[test]
fn an_endpoint_of_kratos_that_is_none_of_ours_hides_no_other_and_stays() {
    let record = r#"{"id":"a","name":"shop","version":"","metadata":null,"endpoints":["https://shop.internal/v1","grpc://h:1","x_y://h:2"]}"#;
    let instance = read(Layout::Kratos, "a", record.as_bytes()).unwrap();
    assert_eq!(instance.addresses.len(), 1);
    assert_eq!(instance.address_for("grpc").unwrap().to_string(), "h:1");
    let written = write(Layout::Kratos, &instance);
    let expected = r#"{"id":"a","name":"shop","version":"","metadata":null,"endpoints":["grpc://h:1","https://shop.internal/v1","x_y://h:2"]}"#;
    assert_eq!(written, expected);
    assert_eq!(read(Layout::Kratos, "a", written.as_bytes()).unwrap(), instance);
}

#[test]
fn other_services_are_of_no_concern() {
    let directory = directory(Layout::Kratos);
    let record = write(Layout::Kratos, &Instance::new("a"));
    for key in [
        "/microservices/shop2/a",
        "/microservices/shop/",
        "/microservices/shop/sub/a",
    ] {
        assert!(
            directory.read(key.as_bytes(), record.as_bytes()).is_empty(),
            "{key}"
        );
    }
    let other = record.replace(r#""shop""#, r#""shop2""#);
    assert!(
        directory
            .read(b"/microservices/shop/a", other.as_bytes())
            .is_empty()
    );
    // An endpoint that is marked as gone.
    let gone = br#"{"Op":1,"Addr":"h:1","Metadata":null}"#;
    assert!(super::directory(Layout::Grpc).read(b"shop/a", gone).is_empty());
}

#[test]
fn names_and_ids_that_no_key_can_hold_are_refused() {
    assert!(
        Directory::new(Layout::Kratos, None, "")
            .unwrap_err()
            .to_string()
            .contains("`name`")
    );
    assert!(Directory::new(Layout::Kratos, None, "a\0b").is_err());
    let directory = directory(Layout::Kratos);
    let error = directory.key(&Instance::new("a/b"), 1).unwrap_err();
    assert!(error.to_string().contains("`id`"), "{error}");
    // Without an address over TCP, where there is room for nothing else.
    let socket = Instance::new("a").with_address("grpc", "unix:/run/x".parse().unwrap());
    for layout in [Layout::GoZero, Layout::Grpc, Layout::GoMicro, Layout::Kitex] {
        let error = super::directory(layout).write(&socket).unwrap_err();
        assert!(error.to_string().contains("`endpoints`"), "{layout}: {error}");
    }
}

#[test]
fn what_nobody_would_read_is_not_written() {
    // Each of them is six bytes in a record.
    let markup = |bytes| {
        Instance::new("a")
            .with_address("grpc", "10.0.0.1:1".parse().unwrap())
            .with_metadata("k", "<".repeat(bytes))
    };
    for layout in [Layout::Kratos, Layout::Grpc, Layout::GoMicro, Layout::Kitex] {
        let written = write(layout, &markup(20_000));
        read(layout, "a", written.as_bytes()).expect("it is read");
        let error = directory(layout).write(&markup(25_000)).unwrap_err();
        assert_eq!(error.kind(), FaultKind::Invalid);
        assert!(error.to_string().contains("`record`"), "{layout}: {error}");
    }
}

#[test]
fn what_go_zero_cannot_say_it_says_by_silence() {
    let instance = Instance::new("a").with_address("grpc", "10.0.0.1:1".parse().unwrap());
    let directory = directory(Layout::GoZero);
    assert!(directory.write(&instance).unwrap().is_some());
    let draining = instance.with_state(InstanceState::Draining);
    assert_eq!(directory.write(&draining).unwrap(), None);
}

#[test]
fn namespaces_and_layouts_by_name() {
    let directory = Directory::new(Layout::Kratos, Some("/prod/services/"), "shop").unwrap();
    assert_eq!(directory.prefix(), "/prod/services/shop/");
    let directory = Directory::new(Layout::GoMicro, None, "go.micro/shop").unwrap();
    assert_eq!(directory.prefix(), "/micro/registry/go.micro-shop/");
    for layout in ALL {
        assert_eq!(layout.as_str().parse::<Layout>().unwrap(), layout);
    }
    let error = "zookeeper".parse::<Layout>().unwrap_err().to_string();
    assert!(
        error.contains("kratos, go-zero, grpc, go-micro, kitex"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn anything_at_all_is_read_without_a_panic(value in prop::collection::vec(any::<u8>(), 0..300), tail in ".{0,40}") {
        for layout in ALL {
            let directory = directory(layout);
            let key = format!("{}{tail}", directory.prefix());
            for record in directory.read(key.as_bytes(), &value).into_iter().flatten() {
                prop_assert!(record.check().is_ok());
            }
        }
    }

    #[test]
    fn what_a_changed_record_says_is_said_again(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, "[ -~]{0,4}"), 1..4)) {
        let goldens: [(Layout, &str); 5] = [
            (Layout::Kratos, include_str!("golden/kratos.json")),
            (Layout::GoZero, include_str!("golden/go-zero.txt")),
            (Layout::Grpc, include_str!("golden/grpc.json")),
            (Layout::GoMicro, include_str!("golden/go-micro.json")),
            (Layout::Kitex, include_str!("golden/kitex.json")),
        ];
        for (layout, golden) in goldens {
            let mut record = golden.to_owned();
            for (at, length, text) in &cuts {
                let at = at.index(record.len() + 1);
                record.replace_range(at..(at + length).min(record.len()), text);
            }
            let directory = directory(layout);
            let key = format!("{}a", directory.prefix());
            for instance in directory.read(key.as_bytes(), record.as_bytes()).into_iter().flatten() {
                prop_assert!(instance.check().is_ok());
                // An id that is no key, or no address, is one that this layout cannot write.
                let (Ok(Some(written)), Ok(key)) = (directory.write(&instance), directory.key(&instance, 1)) else {
                    continue;
                };
                let again = directory.read(key.as_bytes(), &written);
                prop_assert_eq!(again.len(), 1, "{}", &record);
                let again = again.into_iter().next().unwrap();
                prop_assert!(again.is_ok(), "{}: {:?}", &record, again);
                let again = again.unwrap();
                prop_assert_eq!(&again.id, &instance.id);
                prop_assert_eq!(again.weight, instance.weight);
                prop_assert_eq!(&again.lane, &instance.lane);
                prop_assert_eq!(again.state, instance.state);
                // go-micro's clients want some of it, so it is said where it was not.
                for (key, value) in &instance.metadata {
                    prop_assert_eq!(again.metadata.get(key), Some(value), "{}: {}", &record, key);
                }
            }
        }
    }
}
