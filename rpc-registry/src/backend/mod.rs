//! The registries and resolvers that need nothing beside this crate.

mod fixed;
mod memory;

pub use self::{
    fixed::{FixedResolver, LocalScheme, StaticScheme, UnixScheme},
    memory::MemoryRegistry,
};
