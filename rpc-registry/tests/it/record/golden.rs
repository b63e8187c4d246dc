//! What others wrote is read, and written again byte by byte.

use rpc_core::context::Lane;
use rpc_registry::{Instance, record::Layout};

use super::{directory, read, write};

fn address(instance: &Instance, protocol: &str) -> String {
    let address = instance.address_for(protocol);
    address.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn kratos() {
    let golden = include_str!("golden/kratos.json");
    let instance = read(Layout::Kratos, "kratos-1", golden.as_bytes()).unwrap();
    assert_eq!(instance.id.as_str(), "kratos-1");
    assert_eq!(instance.version.as_deref(), Some("v7"));
    assert_eq!(instance.weight, 30);
    assert_eq!(instance.lane.as_ref().map(Lane::as_str), Some("red"));
    assert_eq!(instance.zone.as_deref(), Some("z1"));
    assert_eq!(instance.metadata.get("owner").map(String::as_str), Some("kratos"));
    assert_eq!(address(&instance, "grpc"), "127.0.0.1:9000");
    assert_eq!(address(&instance, "http"), "127.0.0.1:8000");
    assert_eq!(write(Layout::Kratos, &instance), golden);
    let key = directory(Layout::Kratos).key(&instance, 1).unwrap();
    assert_eq!(key, "/microservices/shop/kratos-1");
}

#[test]
fn go_zero() {
    let golden = include_str!("golden/go-zero.txt");
    let instance = read(Layout::GoZero, "4111120222959825934", golden.as_bytes()).unwrap();
    assert_eq!(address(&instance, "grpc"), "127.0.0.1:9000");
    assert_eq!(write(Layout::GoZero, &instance), golden);
    // Above 2^53, where a number in JSON would lose digits.
    let key = directory(Layout::GoZero)
        .key(&instance, 4_111_120_222_959_825_934)
        .unwrap();
    assert_eq!(key, "shop/4111120222959825934");
}

#[test]
fn grpc_naming() {
    let golden = include_str!("golden/grpc.json");
    let instance = read(Layout::Grpc, "127.0.0.1:9000", golden.as_bytes()).unwrap();
    assert_eq!(address(&instance, "grpc"), "127.0.0.1:9000");
    assert_eq!(instance.weight, 30);
    assert_eq!(instance.metadata.get("owner").map(String::as_str), Some("grpc"));
    // Metadata of ours is texts: nobody else agrees on a type.
    assert_eq!(
        write(Layout::Grpc, &instance),
        golden.replace(r#""weight":30"#, r#""weight":"30""#)
    );
    let plain = Instance::new("127.0.0.1:9000").with_address("grpc", "127.0.0.1:9000".parse().unwrap());
    assert_eq!(
        write(Layout::Grpc, &plain),
        r#"{"Op":0,"Addr":"127.0.0.1:9000","Metadata":null}"#
    );
    assert_eq!(
        directory(Layout::Grpc).key(&plain, 1).unwrap(),
        "shop/127.0.0.1:9000"
    );
}

#[test]
fn go_micro() {
    let golden = include_str!("golden/go-micro.json");
    let instance = read(Layout::GoMicro, "shop-1", golden.as_bytes()).unwrap();
    assert_eq!(instance.id.as_str(), "shop-1");
    assert_eq!(instance.version.as_deref(), Some("v7"));
    assert_eq!(instance.weight, 30);
    assert_eq!(address(&instance, "grpc"), "127.0.0.1:9000");
    assert_eq!(write(Layout::GoMicro, &instance), golden);
    assert_eq!(
        directory(Layout::GoMicro).key(&instance, 1).unwrap(),
        "/micro/registry/shop/shop-1"
    );
}

#[test]
fn kitex() {
    let golden = include_str!("golden/kitex.json");
    let instance = read(Layout::Kitex, "127.0.0.1:9000", golden.as_bytes()).unwrap();
    assert_eq!(instance.weight, 300);
    assert_eq!(instance.metadata.get("owner").map(String::as_str), Some("kitex"));
    assert_eq!(address(&instance, "grpc"), "127.0.0.1:9000");
    assert_eq!(write(Layout::Kitex, &instance), golden);
    assert_eq!(
        directory(Layout::Kitex).key(&instance, 1).unwrap(),
        "kitex/registry-etcd/shop/127.0.0.1:9000"
    );
}

/// Spellings that their libraries read, or wrote once.
#[test]
fn kratos_spells_endpoints_in_several_ways() {
    let record = br#"{"id":"a","name":"shop","version":"","metadata":null,
        "endpoints":["grpc://h:1?isSecure=true","grpcs://h:2/","http://[::1]:3/path","grpc+unix:///run/shop.sock"]}"#;
    let instance = read(Layout::Kratos, "a", record).unwrap();
    let texts: Vec<_> = instance.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "grpcs://h:1",
            "grpcs://h:2",
            "http://[::1]:3",
            "grpc://unix:/run/shop.sock"
        ]
    );
    assert_eq!(instance.version, None);
}

#[test]
fn a_unix_socket_stands_in_the_record_where_others_pass_it_over() {
    let instance = Instance::new("a")
        .with_address("grpc", "10.0.0.1:9000".parse().unwrap())
        .with_address("grpc", "unix:/run/shop.sock".parse().unwrap())
        .with_address("local", "local:shop".parse().unwrap());
    let record = write(Layout::Kratos, &instance);
    assert!(
        record.contains(r#""endpoints":["grpc://10.0.0.1:9000","grpc+unix:///run/shop.sock"]"#),
        "{record}"
    );
    // Where there is room for one address, it is one that others can call.
    for layout in [Layout::GoZero, Layout::Grpc, Layout::GoMicro, Layout::Kitex] {
        assert!(write(layout, &instance).contains("10.0.0.1:9000"), "{layout}");
    }
}

/// Kratos looks for that word where it speaks TLS; nobody else has one.
#[test]
fn tls_is_said_in_the_words_of_each() {
    let instance = Instance::new("a")
        .with_address("framed", "10.0.0.1:8000".parse().unwrap())
        .with_address("grpcs", "10.0.0.1:9000".parse().unwrap());
    let record = write(Layout::Kratos, &instance);
    assert!(record.contains(r#""grpcs://10.0.0.1:9000""#), "{record}");
    for layout in [Layout::GoZero, Layout::Grpc, Layout::GoMicro, Layout::Kitex] {
        let record = write(layout, &instance);
        assert!(
            record.contains("10.0.0.1:9000") && !record.contains("grpcs"),
            "{layout}: {record}"
        );
    }
    let record = write(Layout::GoMicro, &instance);
    assert!(record.contains(r#""protocol":"grpc""#), "{record}");
}

/// Whoever says nothing of its weight gets the same share of the calls, whichever side it is on.
#[test]
fn weights_of_kitex_are_tenths_of_ours() {
    let theirs =
        |weight: &str| format!(r#"{{"network":"tcp","address":"10.0.0.1:1","weight":{weight},"tags":null}}"#);
    for (weight, ours) in [("10", 100), ("1", 10), ("0", 100), ("-3", 100), ("null", 100)] {
        let record = theirs(weight);
        assert_eq!(
            read(Layout::Kitex, "10.0.0.1:1", record.as_bytes())
                .unwrap()
                .weight,
            ours
        );
    }
    let instance = |weight| {
        let address = "10.0.0.1:1".parse().unwrap();
        Instance::new("10.0.0.1:1")
            .with_any_address(address)
            .with_weight(weight)
    };
    assert_eq!(write(Layout::Kitex, &instance(100)), theirs("10"));
    for (weight, theirs) in [(0, 1), (1, 1), (10, 1), (25, 3), (999_999, 100_000)] {
        let record = write(Layout::Kitex, &instance(weight));
        assert!(record.contains(&format!(r#""weight":{theirs},"#)), "{record}");
        assert_eq!(
            read(Layout::Kitex, "10.0.0.1:1", record.as_bytes()).unwrap(),
            instance(weight)
        );
    }
    // An operator's tool that does not know our tag changed the field.
    let record = write(Layout::Kitex, &instance(25)).replace(r#""weight":3"#, r#""weight":7"#);
    assert_eq!(
        read(Layout::Kitex, "10.0.0.1:1", record.as_bytes()).unwrap(),
        instance(70)
    );
}

#[test]
fn text_is_escaped_as_go_does() {
    let instance = Instance::new("a").with_metadata("q", "<a>&b");
    let record = write(Layout::Kratos, &instance);
    assert!(record.contains(r#""q":"\u003ca\u003e\u0026b""#), "{record}");
    assert_eq!(
        read(Layout::Kratos, "a", record.as_bytes()).unwrap().metadata["q"],
        "<a>&b"
    );
}
