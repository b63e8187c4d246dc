//! Targets, schemes, the embedded registry, and what is done around all registries.

mod announce;
mod follow;
mod memory;
mod target;
