//! The schemes that clients and servers know without being told.

use rpc_registry::{LocalScheme, Schemes, StaticScheme, UnixScheme};

/// Those that need nothing but their target, by the features of this build.
pub(crate) fn built_in() -> Schemes {
    Schemes::new()
        .with(StaticScheme)
        .with(UnixScheme)
        .with(LocalScheme)
}
