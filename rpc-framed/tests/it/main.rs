//! The framed transport through its public API: our client against our server, and either against a peer that writes bytes by
//! hand.

mod abuse;
mod alone;
mod calls;
mod deadlines;
mod drain;
mod executor;
mod fallback;
mod golden;
mod keepalive;
mod lies;
mod losses;
mod memory;
mod peer;
mod scaling;
mod service;
mod streams;
mod support;
mod values;
mod wire;
