//! A fleet on virtual time, balanced by rpc's own policies.
//!
//! Which balancer is the default, and whether an instance that fails at once attracts traffic, are questions about a
//! hundred machines and a hundred thousand calls. Here they are answered in seconds, and the same way each time: a
//! discrete-event simulation, in which the model of the fleet is ours and what chooses among its instances is the code
//! that is shipped.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`agenda`], [`time`](mod@time) | what happens next, and when |
//! | [`draw`] | random durations |
//! | [`server`] | instances, and other tenants of their machines |
//! | [`world`] | clients, network and servers; what the model leaves out |
//! | [`policy`] | what the world asks of a balancer |
//! | [`ours`] | the balancers that are shipped |
//! | [`scenario`] | fleets, faults, and what is to be read from them |
//! | [`quantiles`], [`table`] | percentiles; what is printed |
//!
//! # Why not the real stack on paused time
//! Tests do that elsewhere, with a handful of instances. A simulated call here is a dozen events in a heap and takes a
//! microsecond or two; with tasks, timers and messages it would take a hundred times as long, and the scheduling of tasks
//! would be part of the result.

#![allow(
    clippy::cast_precision_loss,
    reason = "counts of a simulation are far below what a float holds exactly"
)]

pub mod agenda;
pub mod draw;
pub mod jobs;
pub mod ours;
pub mod policy;
pub mod quantiles;
pub mod scenario;
pub mod server;
pub mod slab;
pub mod table;
pub mod time;
pub mod world;

pub use self::{
    agenda::Agenda,
    slab::{Key, Slab},
    time::Time,
    world::World,
};
