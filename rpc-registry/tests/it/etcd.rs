//! Targets in etcd. What etcd itself does is tested with a real one.

use rpc_registry::{EtcdScheme, Schemes, Target};

fn schemes() -> Schemes {
    Schemes::new().with(EtcdScheme::new())
}

fn refusal(schemes: &Schemes, target: &str) -> String {
    let target: Target = target.parse().unwrap();
    let error = schemes.resolver(&target).err().expect("it is refused");
    assert_eq!(error.field(), "target");
    let of_registry = schemes.registry(&target).expect_err("for who announces as well");
    assert_eq!(error.to_string(), of_registry.to_string());
    error.to_string()
}

#[test]
fn targets_that_are_understood() {
    for target in [
        "etcd://10.0.0.1:2379/shop",
        "etcd://10.0.0.1,h2,[::1],[::1]:2380,h3:1/shop",
        "etcd://h/shop?layout=kratos&ns=/prod&ttl=30",
        "etcd://h/shop.rpc?layout=go-zero",
        "etcd://h/a/b?layout=grpc&group=vip&version=v1,v2&protocol=grpc",
        "etcd://h/shop?layout=go-micro",
        "etcd://h/shop?layout=kitex&ns=kitex/other",
    ] {
        let target: Target = target.parse().unwrap();
        schemes().resolver(&target).unwrap();
        let place = schemes().registry(&target).unwrap();
        assert_eq!(place.name, target.name());
    }
}

#[test]
fn mistakes_say_what_is_accepted() {
    for (target, part) in [
        ("etcd:///shop", "names no member"),
        ("etcd://h:2379", "no name"),
        ("etcd://h:2379/", "no name"),
        ("etcd://h:x/shop", "not an address"),
        (
            "etcd://h/shop?layout=eureka",
            "kratos, go-zero, grpc, go-micro, kitex",
        ),
        ("etcd://h/shop?ttl=0", "`ttl`"),
        ("etcd://h/shop?ttl=never", "1 to 86400"),
        ("etcd://h/shop?color=red", "option `color`"),
    ] {
        let error = refusal(&schemes(), target);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn members_can_be_said_to_the_scheme() {
    let target: Target = "etcd:///shop".parse().unwrap();
    let scheme = EtcdScheme::new().with_endpoints(["10.0.0.1:2379".parse().unwrap()]);
    Schemes::new().with(scheme).resolver(&target).unwrap();
}

#[test]
fn secrets_are_not_shown() {
    let scheme = EtcdScheme::new().with_user("shop", "secret");
    let shown = format!("{scheme:?}");
    assert!(shown.contains("shop") && !shown.contains("secret"), "{shown}");
}
