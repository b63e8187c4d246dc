//! Policy: the layers that bound, protect and observe calls.
//!
//! Each layer is a folder with the same cast of files: `mod.rs` says what it is for, where it stands and what it costs;
//! `layer.rs` is the tower layer, `service.rs` the stage, `policy.rs` what can be set. Each works alone in anybody's
//! tower stack.

pub mod client;
pub mod lane;
pub mod server;
