//! Chooses the endpoint of a call.
//!
//! # Why
//! A call goes to an endpoint that is connected, in turn. Where none is, what happens depends on whether one may come:
//!
//! | endpoints | a call | a call that waits for ready |
//! | --- | --- | --- |
//! | at least one is ready | goes to the one whose turn it is | the same |
//! | not yet resolved, or some idle or connecting | waits | waits |
//! | none, or all failing, or all draining | fails: UNAVAILABLE, `NO_ENDPOINT`, not processed | waits |
//! | channel closed | fails: UNAVAILABLE, `CHANNEL_CLOSED`, not processed | the same |
//!
//! Waiting is bounded by the call's deadline, which a layer above keeps.
//!
//! # Going elsewhere
//! An endpoint that refuses a call without having begun on it (its instance stops, or does not know the service: the
//! registry's record is stale) costs nothing but time: the call goes to another endpoint, once. This is no retry: nothing
//! was tried yet, so there is no budget to spend, and layers above see one attempt. Overload is left alone; sending the
//! same call to the neighbour is how overload spreads.
//!
//! # Position
//! Innermost of the stages that know no endpoint. What is below is an [`EndpointStage`]: it is told which was chosen.
//!
//! # Cost
//! Read a snapshot, add one to a counter, count one reference. No lock, no allocation.

mod failure;
mod layer;
mod measure;
mod service;
mod stage;
mod watched;

pub use self::{
    layer::PickLayer,
    measure::{Measure, MeasureLayer},
    service::Pick,
    stage::{EndpointStage, Picked, ToLink},
};
