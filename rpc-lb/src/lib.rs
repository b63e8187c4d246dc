//! Endpoints: a client's live view of the instances of its target, and the choice among them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`endpoint`] | one instance as this client sees it: the record and the link |
//! | [`endpoints`] | all of them, kept by diff, published as immutable snapshots |
//! | [`fixed`] | a list that stays the same, for simulations |
//! | `health_watch` | what an endpoint says of its health, with the feature `prost` |
//! | [`near`] | providers next door |
//! | [`route`] | which endpoints a request may go to: a chain of routers |
//! | [`fault`], [`mirror`] | calls that fail by rule, and copies of calls |
//! | [`balance`] | which of the endpoints that are left gets a call |
//! | [`subsetting`] | which part of a large fleet a client connects to at all |
//! | [`health`] | which endpoints are sick |
//! | [`pick`] | the layer that chooses, waits where nothing can be chosen yet, and goes elsewhere once if refused |
//!
//! # Three roles, one way
//! A resolver tells of instances; one task per channel turns that, and the states of the links, into a [`Snapshot`];
//! calls read the snapshot. Nothing flows back: a call takes no lock and wakes no task while there is an endpoint to go
//! to.

pub mod balance;
pub mod endpoint;
pub mod endpoints;
pub mod fault;
pub mod fixed;
pub mod health;
#[cfg(feature = "prost")]
pub mod health_watch;
pub mod mirror;
pub mod near;
mod numbered;
pub mod pick;
pub mod route;
pub mod snapshot;
pub mod subset;
pub mod subsetting;
mod text;

pub use self::{
    balance::{Balancer, BalancerConfig, PickRequest, Picker, RoundRobin},
    endpoint::Endpoint,
    endpoints::{EndpointState, EndpointView, Endpoints, EndpointsConfig},
    fixed::FixedEndpoints,
    health::HealthConfig,
    near::Near,
    pick::{EndpointStage, Measure, MeasureLayer, Pick, PickLayer, Picked, ToLink},
    route::{
        ConditionRouter, GroupRouter, LaneRouter, PercentageRouter, RouteConfig, RouteKey, Router, TagRouter,
        ZoneRouter,
    },
    snapshot::Snapshot,
    subset::Subset,
    subsetting::Subsetting,
};
