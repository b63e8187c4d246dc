//! Keeps an instance announced, whatever happens to the registry.
//!
//! | state | begins when | what is done |
//! | --- | --- | --- |
//! | waiting | the instance is known | nothing: it is announced only once it is [healthy](InstanceHandle::set_healthy) |
//! | announced | the registry has confirmed | renew, verify, amend what its owner changes |
//! | away | the registry does not answer, or has given it up | announce again, with pauses, for ever |
//! | withdrawn | its owner stops | marked as draining, then taken out, in bounded time |
//!
//! # Rules
//! - Renewals come each third of the lease, give or take a tenth, and get a sixth of it to be answered. A lease that was
//!   not renewed for its whole time is taken as lost; it is withdrawn all the same if the stop comes before the next
//!   announcement, as a registry that was away may have prolonged it.
//! - An announcement that got no answer is tried again; what may have come of it cannot be taken out before one is confirmed, and
//!   a stop that comes first says so ([`AnnounceState::Left`]).
//! - What is lost is announced again after a pause drawn from 0 to a third of the lease, at most 5 s: a registry that
//!   restarts is not met by all its providers at once. There is no number of attempts after which it gives up: giving up
//!   would make an instance unreachable for ever that serves perfectly well. Only an instance that clients or registries [refuse](crate::Instance::check_written),
//!   or a registry whose very first answer is that it makes no sense, ends it.
//! - Where somebody else has announced the same id and [started](crate::Instance::started_at) later, that record stays: it is
//!   looked at as often as one's own, announced again only once it is gone, and a stop takes nothing out. Starts are compared
//!   in milliseconds, by the clocks of the hosts that they are of; no start counts as the earliest, and of two that are equal
//!   the later announcement (etcd: the higher lease) is in force. Where the clocks disagree by more than what lies between the
//!   starts, the older process keeps the record, and the younger one announces itself when that has ended. The first announcement looks at nothing.
//! - The record is read back every 30 s, or every lease if that is longer, and before each amendment. Reading and writing get
//!   a sixth of the lease each as well, so that renewals do not wait for longer than a third.
//! - An instance that starts [disabled](crate::InstanceState::Disabled) is announced so, and enabled later. One that stops
//!   being healthy is shown as disabled until it is healthy again.
//! - What an [operator](Instance::OPERATOR) has changed of a record stays as the operator wants it, and the rest as its owner
//!   does, until the operator enables the instance or the announcement ends.
//!
//! One [`Announcer`] keeps one instance announced in one registry; several share an [`InstanceHandle`]. It is a future
//! and starts no task: it ends with whoever drives it.

mod announcer;
mod config;
mod handle;
mod keep;

pub use self::{
    announcer::{AnnounceState, Announcer},
    config::AnnounceConfig,
    handle::InstanceHandle,
};
#[cfg(doc)]
use crate::Instance;
