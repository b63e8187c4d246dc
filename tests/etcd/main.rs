//! A real etcd, and what is done to it.
//!
//! `cargo xtask test --only etcd` runs these. They are no part of a plain `cargo test`, as they need the program `etcd`,
//! whose path is in `RPC_TEST_ETCD`. Each test has a node of its own, on free ports of loopback, with a data folder that
//! goes with it.

mod announced;
mod client;
mod fleet;
mod login;
mod node;
mod outage;
mod users;
mod watch;
