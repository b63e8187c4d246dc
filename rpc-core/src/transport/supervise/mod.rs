//! The connections of a link, kept for any transport that uses sockets.
//!
//! A transport says how a connection is made and how one attempt of a call goes over it: that is a [`Protocol`]. Everything
//! else about a link is the same for all of them, and is here: a [`SupervisedLink`] connects when it is called or told to,
//! pauses between attempts, replaces connections before they are too old, adds some while one is not enough, closes what
//! nobody uses, sends again what certainly was not begun, and drains.
//!
//! | part | what it does |
//! | --- | --- |
//! | `config`, `backoff`, `keepalive` | what can be set |
//! | `protocol` | what a transport implements |
//! | `life` | how far a connection's life has got, and how its link learns of that |
//! | `demand` | whether the calls are too many for one connection |
//! | `timers` | what happens on a connection by itself: pings, age, idleness |
//! | `link` | the way of a call: pick a connection, try, try again if it certainly was not begun |
//! | `orders` | what the users of a link want of its supervisor |
//! | `supervisor` | the task that dials, pauses, replaces, drains |
//! | `members` | the connections that a supervisor keeps: which are lost, quiet, crowded |
//! | `fallback` | the link of another transport, while the peer does not speak this one |
//!
//! # Cost
//! A call reads one immutable list. With one connection in it that is three atomic loads and a reference count; with several,
//! two loads more for each. It passes no queue, takes no lock and wakes nobody; only a call that finds no connection, or all of
//! them full, has to do with the supervisor.
//!
//! # Limits
//! Each address has a link of its own, and links know nothing of each other: which of them gets a call is the balancer's
//! business.

mod backoff;
mod config;
mod connect;
mod demand;
mod fallback;
mod keepalive;
mod life;
mod link;
mod members;
mod orders;
mod protocol;
mod supervisor;
mod timers;

/// What is loom's where all interleavings are tried.
mod sync {
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
}

pub use self::{
    backoff::Backoff,
    config::LinkConfig,
    connect::Connect,
    demand::{Demand, Spread},
    keepalive::Keepalive,
    life::{Life, Phase},
    link::SupervisedLink,
    protocol::{Again, Failed, Protocol, Supervised, Unable},
    timers::{Activity, Due, Timers},
};
