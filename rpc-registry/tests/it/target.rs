//! What a target may look like, and what is said of one that may not.

use rpc_registry::{LocalScheme, MemoryRegistry, Schemes, StaticScheme, Target, UnixScheme, Update};

fn schemes() -> Schemes {
    Schemes::new()
        .with(StaticScheme)
        .with(UnixScheme)
        .with(LocalScheme)
        .with(MemoryRegistry::new())
}

async fn addresses(target: &str) -> Vec<String> {
    let resolver = schemes().resolver(&target.parse().unwrap()).unwrap();
    let Update::Snapshot(instances) = resolver.watch().next().await.unwrap() else {
        panic!("a snapshot is first")
    };
    instances
        .iter()
        .map(|record| record.as_ref().unwrap().address_for("grpc").unwrap().to_string())
        .collect()
}

#[tokio::test]
async fn fixed_targets_name_their_instances() {
    assert_eq!(
        addresses("static://a:1,10.0.0.1:2,[::1]:3").await,
        ["a:1", "10.0.0.1:2", "[::1]:3"]
    );
}

#[tokio::test]
async fn an_address_named_twice_is_one_instance() {
    assert_eq!(addresses("static://a:1,b:2,a:1,").await, ["a:1", "b:2"]);
}

#[tokio::test]
async fn unix_sockets_are_written_in_two_ways() {
    assert_eq!(addresses("unix:/run/shop.sock").await, ["unix:/run/shop.sock"]);
    assert_eq!(addresses("unix:///run/shop.sock").await, ["unix:/run/shop.sock"]);
    assert_eq!(addresses("unix:shop.sock").await, ["unix:shop.sock"]);
    assert_eq!(
        addresses("unix:///run/my%20shop.sock").await,
        ["unix:/run/my shop.sock"]
    );
}

#[tokio::test]
async fn local_targets_name_a_server_of_this_process() {
    assert_eq!(addresses("local:///shop").await, ["local:shop"]);
    assert_eq!(addresses("local:shop").await, ["local:shop"]);
}

#[test]
fn parts() {
    let target: Target = "ETCD://h1:2379,h2:2379/ns/shop?layout=kratos&a=b%26c&layout=grpc"
        .parse()
        .unwrap();
    assert_eq!(target.scheme(), "etcd");
    assert_eq!(target.authority(), "h1:2379,h2:2379");
    assert_eq!(target.path(), "/ns/shop");
    assert_eq!(target.name(), "ns/shop");
    assert_eq!(target.option("layout"), Some("grpc"));
    assert_eq!(target.option("a"), Some("b&c"));
    assert_eq!(target.option("b"), None);
    assert_eq!(
        target.to_string(),
        "ETCD://h1:2379,h2:2379/ns/shop?layout=kratos&a=b%26c&layout=grpc"
    );
}

#[test]
fn mistakes_name_the_field_and_what_to_write() {
    let cases = [
        ("10.0.0.1:80", "static://10.0.0.1:80"),
        ("localhost:80", "static://localhost:80"),
        ("[::1]:80", "static://[::1]:80"),
        ("", "no scheme"),
        (":", "no scheme"),
        ("://x", "no scheme"),
        ("http://a:1", "accepted are: local, memory, static, unix"),
        ("static://", "no address"),
        ("static://,,", "no address"),
        ("static://a", "`a` is not an address"),
        ("static://a:1,b:99999", "`b:99999` is not an address"),
        ("static://a:1/shop", "has no path"),
        ("static://a:1?weight=3", "option `weight` is not known"),
        ("static://user:secret@a:1", "credentials"),
        ("unix://run/shop.sock", "three `/`"),
        ("unix:", "no path"),
        ("memory://shop", "three `/`"),
        ("memory:///", "no name"),
        ("memory:///shop?x=1", "option `x` is not known"),
        ("local://shop", "three `/`"),
        ("memory:///sh op", "spaces"),
        ("memory:///a%zz", "hex"),
        ("memory:///a%ff", "UTF-8"),
        ("memory:///a%e", "hex"),
    ];
    for (target, expected) in cases {
        let error = match target.parse::<Target>() {
            Ok(target) => schemes()
                .resolver(&target)
                .err()
                .unwrap_or_else(|| panic!("`{target}` was accepted")),
            Err(error) => error,
        };
        assert_eq!(error.field(), "target");
        assert!(error.to_string().contains(expected), "`{target}`: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let long = format!("static://{}", "a".repeat(5000))
        .parse::<Target>()
        .unwrap_err();
    assert!(long.to_string().len() < 400, "{long}");
}

#[test]
fn a_scheme_of_ours_that_this_build_lacks_names_its_feature() {
    for (target, feature, is_on) in [
        ("file:///services.yaml?name=shop", "file", cfg!(feature = "file")),
        ("dns:///shop:1", "dns", cfg!(feature = "dns")),
        ("dns+srv:///_grpc._tcp.shop", "dns", cfg!(feature = "dns")),
        ("etcd://a:1/shop", "etcd", cfg!(feature = "etcd")),
        ("nowhere:///shop", "", true),
    ] {
        let error = schemes()
            .resolver(&target.parse().unwrap())
            .map(drop)
            .unwrap_err();
        let names_it = error.to_string().contains(&format!("the feature `{feature}`"));
        assert_eq!(names_it, !is_on, "{error}");
        assert!(error.to_string().contains("accepted are: local"), "{error}");
    }
}
