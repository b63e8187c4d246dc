//! The registries and resolvers that ship with this crate. What needs more than this crate is a feature.

#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "file")]
pub(crate) mod file;
mod fixed;
mod memory;

#[cfg(feature = "dns")]
pub use self::dns::{DnsScheme, DnsSrvScheme};
#[cfg(feature = "etcd")]
pub use self::etcd::{EtcdRegistry, EtcdResolver, EtcdScheme};
#[cfg(feature = "file")]
pub use self::file::FileScheme;
pub use self::{
    fixed::{FixedResolver, LocalScheme, StaticScheme, UnixScheme},
    memory::MemoryRegistry,
};
