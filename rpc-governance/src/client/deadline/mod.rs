//! The deadline of a call.
//!
//! # Why
//! A call without a deadline holds memory, a stream and a caller for as long as the callee likes. One that has a deadline
//! must not outlive it anywhere: not while it waits for an endpoint, not between two attempts, not while the body
//! arrives.
//!
//! # Which one
//! The earliest of
//! 1. what the inbound call has left, if this call is made in its handler,
//! 2. the timeout that the request, the stub or the client asks for,
//! 3. the timeout that the method's author gave it,
//!
//! and only if there is none of these, and the method is unary, the policy's
//! [default](DeadlinePolicy::unary_default), 10 seconds. Streams have no default: how long one may live is known to its
//! users alone.
//!
//! # Position
//! Outside of everything that waits or tries again: all of that shares this deadline. Inside of fallbacks: a call that ran
//! out of time may still get a fallback's answer. The deadline is put into the call's context, so that layers below
//! compare instants and the transport tells the peer.
//!
//! Layers above that are to be bounded as well have the [hook](DeadlineHook) above themselves: it puts the deadline into the
//! context, and the layer below keeps that, since no later one counts.
//!
//! # Cost
//! One timer for all calls of a client, in a [`DeadlineQueue`](rpc_core::context::DeadlineQueue): a call that must wait takes
//! a slot there, one that is answered at once takes none. The deadline goes on with the reply, and bounds the reading of its
//! body.
//!
//! Dropping what is below at the deadline cancels the call on the wire.

mod hook;
mod layer;
mod policy;
mod service;

pub use self::{hook::DeadlineHook, layer::DeadlineLayer, policy::DeadlinePolicy, service::Deadlined};
