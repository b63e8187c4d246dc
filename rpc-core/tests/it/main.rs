//! The behaviour of a call, over the in-process transport and hand-written descriptors.

mod attention;
mod baggage;
mod cancellation;
mod codec;
mod context;
mod deadline;
mod details;
mod facts;
mod hooks;
mod layers;
mod load;
mod local;
mod matcher;
mod metadata;
mod net;
mod panics;
mod streaming;
mod supervise;
mod support;
mod trace;
