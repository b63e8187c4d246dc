//! Chooses the endpoint of a call.
//!
//! # Why
//! A call goes to the endpoint that the [balancer](crate::balance) picks among those that the [routers](crate::route) left and that
//! are connected. Where none is, what happens depends on whether one may come:
//!
//! | endpoints | a call | a call that waits for ready |
//! | --- | --- | --- |
//! | at least one is ready | goes to the one that is picked | the same |
//! | a router left none | fails: UNAVAILABLE, `NO_ENDPOINT_AFTER_ROUTER`, not processed | waits |
//! | not yet resolved, or some idle or connecting | waits | waits |
//! | none, or all failing, or all draining, or all sick where [panic](crate::HealthConfig::panic) is 0 | fails: UNAVAILABLE, `NO_ENDPOINT`, not processed | waits |
//! | channel closed | fails: UNAVAILABLE, `CHANNEL_CLOSED`, not processed | the same |
//!
//! Waiting is bounded by the call's deadline, which a layer above keeps. It is done here and not in a link: below, no call asks
//! to wait for ready, so that one which finds its endpoint gone comes back for another.
//!
//! # Going elsewhere
//! An endpoint that refuses a call without having begun on it (its instance stops, or does not know the service: the
//! registry's record is stale) costs nothing but time: the call goes to another endpoint, once; to one that is farther away, where
//! none is as near. This is no retry: nothing was tried yet, so there is no budget to spend, and layers above see one attempt.
//! Where the instance stops, the call waits for another one that is being connected to; where the service is not known, only
//! those count that are ready. Overload is left alone; sending the same call to the neighbour is how overload spreads.
//!
//! # Position
//! Innermost of the stages that know no endpoint. What is below is an [`EndpointStage`]: it is told which was chosen.
//!
//! # Cost
//! Read a snapshot, ask each router for a key, pick, count one reference. No lock; and no allocation, unless a lane or a rule is
//! asked for that nobody asked for since the endpoints last changed. The clock is read only where there is a choice.

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
