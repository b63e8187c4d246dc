//! Targets, schemes, the embedded registry, and what is done around all registries.

mod announce;
mod anything;
#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "file")]
mod file;
mod follow;
mod memory;
mod record;
mod target;
