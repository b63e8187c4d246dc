//! Endpoints: a client's live view of the instances of its target, and the choice among them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`endpoint`] | one instance as this client sees it: the record and the link |
//! | [`endpoints`] | all of them, kept by diff, published as immutable snapshots |
//! | [`near`] | providers next door |
//! | [`policy`] | which of the endpoints that are left gets a call |
//! | [`pick`] | the layer that chooses, waits where nothing can be chosen yet, and goes elsewhere once if refused |
//!
//! # Three roles, one way
//! A resolver tells of instances; one task per channel turns that, and the states of the links, into a [`Snapshot`];
//! calls read the snapshot. Nothing flows back: a call takes no lock and wakes no task while there is an endpoint to go
//! to.

pub mod endpoint;
pub mod endpoints;
pub mod near;
pub mod pick;
pub mod policy;
pub mod snapshot;

pub use self::{
    endpoint::Endpoint,
    endpoints::{Endpoints, EndpointsConfig},
    near::Near,
    pick::{EndpointStage, Pick, PickLayer, ToLink},
    policy::RoundRobin,
    snapshot::Snapshot,
};
