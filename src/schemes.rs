//! The schemes that clients and servers know without being told.

use rpc_core::BuildError;
use rpc_registry::{LocalScheme, Schemes, StaticScheme, Target, UnixScheme};

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

/// Refuses a `memory:` target without the registry that it means.
pub(crate) fn check_memory(schemes: &Schemes, target: &Target) -> Result<(), BuildError> {
    if target.scheme() != "memory" || schemes.names().any(|name| name == "memory") {
        return Ok(());
    }
    let problem = format!("target `{target}` needs the embedded registry: `.registry(memory.clone())`");
    Err(BuildError::new("registry", problem))
}

/// Says which method was given a target that is wrong.
pub(crate) fn given_to(method: &'static str) -> impl Fn(BuildError) -> BuildError {
    move |error| match error.field() {
        "target" => error.with_field(method),
        _ => error,
    }
}
