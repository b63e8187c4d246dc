//! Which lane a request travels in.
//!
//! A request gets its lane where it enters: from the call that it belongs to, from whoever makes it
//! ([`Context::with_lane`](rpc_core::Context::with_lane)), or from a rule. [`LaneRules`] are such rules: the first one that
//! means a call puts it into its lane. [`LaneHook`] applies them, on a server to calls that come in, on a client to calls that go
//! out; everything that is called from there inherits the lane. Which endpoints serve a lane, and where a request goes whose
//! lane has none, is the business of routing.
//!
//! # Trust
//! A caller may write any lane into its request. A server at the edge takes those only that it [accepts](AcceptedLanes).
//! What else the request says of lanes is taken out of its metadata, so that a handler which copies that into its own calls
//! does not let a lane through.
//!
//! # Position
//! First of all hooks: whatever else looks at a call sees it in its lane.
//!
//! # Cost
//! Where there are no rules, and every lane is accepted: nothing. A rule costs what its conditions cost.

mod hook;
mod rules;

pub use self::{
    hook::{AcceptedLanes, LaneHook},
    rules::{LaneRule, LaneRules},
};
