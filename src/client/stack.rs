//! The order of a client's layers.
//!
//! This is the one place where they are put together. A call meets them from top to bottom; what is in here is composed
//! statically and erased once, where it becomes a [`Channel`].

use rpc_core::{
    CallOptions, Channel,
    stage::{Hook, HooksLayer, UserLayer},
    status::Classify,
};
use rpc_governance::{
    client::deadline::{DeadlineHook, DeadlineLayer, DeadlinePolicy},
    lane::LaneHook,
};
use rpc_lb::{Endpoints, MeasureLayer, PickLayer, ToLink, route::DrawKeyLayer};
use tower::ServiceBuilder;

use super::{routing::Routing, slot::SlotLayer};

/// What the stack is made of.
pub(super) struct Parts {
    pub(super) options: CallOptions,
    pub(super) lanes: LaneHook,
    pub(super) hooks: Vec<Box<dyn Hook>>,
    pub(super) layers: Vec<UserLayer>,
    pub(super) deadline: DeadlinePolicy,
    pub(super) attempt_hooks: Vec<Box<dyn Hook>>,
    pub(super) attempt_layers: Vec<UserLayer>,
    pub(super) routing: Routing,
    pub(super) endpoints: Endpoints,
    pub(super) wait_for_ready: bool,
    pub(super) classify: Classify,
}

/// The client's pipeline of one target.
pub(super) fn assemble(mut parts: Parts) -> Channel {
    if !parts.lanes.is_idle() {
        parts.hooks.insert(0, Box::new(parts.lanes));
    }
    // The deadline bounds users' layers as well, and all that they pass on: the last of the hooks settles it. Where there are
    // none, the layer that keeps it is early enough.
    if !parts.layers.is_empty() {
        parts
            .hooks
            .push(Box::new(DeadlineHook::new(parts.deadline.clone())));
    }
    let attempt = ServiceBuilder::new()
        // Users' hooks and layers, around each attempt: above the choice of an endpoint, so they may say what it shall heed. An
        // attempt that a layer above makes again passes here again.
        .layer(HooksLayer::new(parts.attempt_hooks))
        .layer(SlotLayer::new(parts.attempt_layers))
        // Faults by rule: once per attempt, and before anything is sent or copied.
        .layer(parts.routing.fault)
        // Copies of calls: of what would be sent, lane and headers included. Above the choice of an endpoint, because a copy
        // makes its own.
        .layer(parts.routing.mirror)
        // Routers narrow what the choice is made from, inside of it: they are asked once for an outcome, not once a call.
        //
        // Once per attempt, so that another attempt gets another endpoint.
        .layer(PickLayer::new(parts.endpoints).with_wait_for_ready(parts.wait_for_ready))
        // What the endpoint does with this attempt: right below the choice, which learns from it.
        .layer(MeasureLayer::new().with_classify(parts.classify))
        // (Signing: last, because a signature must cover what is really sent.)
        .service(ToLink);

    let call = ServiceBuilder::new()
        // Which lane the call travels in: a hook, the first one, because whatever is below may look at the lane.
        //
        // (Telemetry: outermost, so that a span covers refusals, all attempts and fallbacks.)
        //
        // Users' hooks and layers, around the logical call: they see one call and one answer, however many attempts there
        // were.
        .layer(HooksLayer::new(parts.hooks))
        .layer(SlotLayer::new(parts.layers))
        // (Fallback: above the deadline, because a call that ran out of time may still get its answer.)
        //
        // THE deadline of the call. Everything below waits on its behalf and only compares instants. It is settled above the
        // users' layers, if there are any.
        .layer(DeadlineLayer::new(parts.deadline))
        // The number by which a call falls into a share of all calls. Above what tries again: all attempts have the same.
        .layer(DrawKeyLayer::new(parts.routing.needs_request_key))
        // (Cache, throttle, limit, retry, in this order: while a breaker is open nobody queues for a permit, and one
        // permit covers all attempts of a call.)
        .service(attempt);

    // The only erasure: one future a call behind a pointer, in memory that is used again.
    Channel::new(call).with_options(parts.options)
}
