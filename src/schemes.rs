//! The schemes that clients and servers know without being told.

use rpc_registry::{LocalScheme, Schemes, StaticScheme, UnixScheme};

/// The schemes that clients and servers know without being told: those that need nothing but their target, by the
/// features of this build.
pub fn built_in_schemes() -> Schemes {
    let schemes = Schemes::new()
        .with(StaticScheme)
        .with(UnixScheme)
        .with(LocalScheme);
    #[cfg(feature = "file")]
    let schemes = schemes.with(rpc_registry::FileScheme);
    #[cfg(feature = "dns")]
    let schemes = schemes
        .with(rpc_registry::DnsScheme)
        .with(rpc_registry::DnsSrvScheme);
    #[cfg(feature = "etcd")]
    let schemes = schemes.with(rpc_registry::EtcdScheme::new());
    schemes
}
