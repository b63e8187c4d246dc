//! Target URIs: what is accepted is written as it was read, and no scheme chokes on it.

#![no_main]

use std::sync::LazyLock;

use rpc_registry::{
    DnsScheme, DnsSrvScheme, EtcdScheme, FileScheme, Filter, LocalScheme, Schemes, StaticScheme, Target, UnixScheme,
};

static SCHEMES: LazyLock<Schemes> = LazyLock::new(|| {
    Schemes::new()
        .with(StaticScheme)
        .with(UnixScheme)
        .with(LocalScheme)
        .with(FileScheme)
        .with(DnsScheme)
        .with(DnsSrvScheme)
        .with(EtcdScheme::new())
});

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(target) = text.parse::<Target>() else { return };
    assert_eq!(target.to_string(), text);
    assert_eq!(target.scheme(), target.scheme().to_ascii_lowercase());
    assert!(!target.hosts().any(|host| host.is_empty() || host.contains('/')));
    // Targets are logged: no mistake may repeat credentials, and none gets this far with any.
    assert!(!target.authority().contains('@'));
    let _ = Filter::of_target(&target);
    // Makes no connection.
    let _ = SCHEMES.resolver(&target);
    let _ = SCHEMES.registry(&target);
});
