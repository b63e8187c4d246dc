//! Each request to its own lane.
//!
//! # What
//! A request that travels in a lane goes to the endpoints that serve this lane. Where there are none, it goes to the first of
//! its lane's fallbacks that there is; by default that is the base lane. A request without a lane goes to the base lane and
//! never into another one.
//!
//! An endpoint counts as long as it may be called soon: a lane whose only instance is being connected to makes its calls
//! wait, one whose instances cannot be reached lets them fall back.
//!
//! # Fallbacks
//! They are an ordered list of lanes and `base`. They are those of the request's lane alone: a fallback's own fallbacks are
//! not looked at, so lists that name each other do no harm. An empty list means: this lane or none.
//!
//! # Nobody left
//! Only where no fallback is left, or where nobody serves the base lane. The call fails with `NO_ENDPOINT_AFTER_ROUTER`.

mod router;
mod rule;

pub use self::{
    router::LaneRouter,
    rule::{Fallback, InvalidLaneRule, LaneFallbacks},
};
