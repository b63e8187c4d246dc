//! Targets, schemes and the embedded registry.

mod follow;
mod memory;
mod target;
