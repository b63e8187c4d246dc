//! THE order of a server's layers.

use std::sync::Arc;

use rpc_core::{
    server::{Dispatch, Router},
    stage::{Hook, SharedStage, UserLayer},
};
use rpc_governance::lane::LaneHook;

/// The pipeline of a server. A call meets the layers from top to bottom; what a transport does before stands here as
/// well, since its place is part of the order.
pub(super) fn assemble(
    router: Router,
    lanes: LaneHook,
    mut hooks: Vec<Box<dyn Hook>>,
    user: &[UserLayer],
) -> Dispatch {
    let router = Arc::new(router);
    if !lanes.is_idle() {
        hooks.insert(0, Box::new(lanes));
    }
    // listener   Connection limits, TLS, which transport. First, so that nothing is spent on a connection too many.
    // http       The user's HTTP-level layers, inside the gRPC transport. They see requests that are no calls, and
    //            none of the calls that arrive over another transport.
    // context    Metadata to context, in the transport. Above everything that reads a deadline, a lane or a trace.
    // lane       Which lanes are taken from callers, and rules that put calls into lanes. Right behind the context, because
    //            whatever is below may look at the lane.
    // load       A hook, outside of those of the user: what they refuse is load as well.
    // telemetry  Above whatever refuses, so that refusals are counted too.
    // lifecycle  A server that drains refuses before any work is done for the call, and says "not processed".
    // identity   Who calls. Above `rate`, which counts by caller.
    // rate       Before `admission`: what is over its quota must not take a place in the queue.
    // admission  The last that may keep a call waiting. Below it, every call holds a place.
    // isolation  Which executor runs what is below.
    //
    // user       The user's hooks, then the user's layers, in the order in which they were added: all that is known of a call is there, and
    //            whatever they do runs where the handler runs. They see every call, those of health and of methods
    //            that nobody offers too: a layer that checks credentials must not have a way around it.
    //
    // router     Last: path to handler. Decodes, runs the handler in its context, turns a panic into INTERNAL.
    if user.is_empty() {
        // Nothing between transport and router: nothing erased.
        return Dispatch::new(router).with_hooks(hooks);
    }
    Dispatch::with_pipeline(router, |router| {
        user.iter()
            .rev()
            .fold(SharedStage::new(router), |inner, layer| layer.wrap(inner))
    })
    .with_hooks(hooks)
}
