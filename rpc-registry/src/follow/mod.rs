//! Keeps a client's list of instances, whatever happens to the registry.
//!
//! A [`Follow`] drives one watch and turns what it tells into [`Change`]s of what the client shall see. It never ends and
//! never fails: while a registry is away, the last good list is the best there is, and calls go on.
//!
//! # The way of a record
//! 1. **Checked.** What the adapter could not read, or no sound record says ([`Instance::check`](crate::Instance::check)),
//!    is refused by field, counted and shown; the last good record of that instance stays.
//! 2. **Doubted.** Instances that vanish without having said so may well be alive, with a registry that has lost its
//!    memory: see [`HoldBack`].
//! 3. **Filtered**: group, version, protocol; see [`Filter`](crate::Filter). After the doubt, so that moving an instance
//!    to another group is no disappearance.
//! 4. **Narrowed** to the part of a large fleet that this client uses, if it is told to: a part of each lane's instances that
//!    are up; see [`Narrow`].
//! 5. **Compared** with what was shown, by id. What is the same is not told again, so connections and all that was learnt
//!    about an instance outlive any number of lists.
//!
//! # When the registry is away
//! A fault is told once, as [`Freshness::Stale`], and again if another [kind](crate::FaultKind) of it follows; a [`View`] shows
//! the last one. The watch is asked again after pauses that grow to 30 s. One that has lost its place
//! ([`Behind`](crate::FaultKind::Behind)) is asked for a list at once, and nothing is told; if it lost it within the last minute
//! as well, that is a fault like any other, whatever was listed meanwhile.
//!
//! At the very first start, when there is no list yet, one that was kept on disk is used ([`DiskCache`]) as soon as the first
//! attempt has failed, or nothing was answered within [`FollowConfig::first_answer`]; it is told as [`Freshness::Disk`], with
//! the time at which it was saved. The first live answer is then compared with it as with any other list, so that a registry
//! that has come up empty empties nobody.
//!
//! # Several targets
//! [`FollowAll`] follows several targets, each by itself, and unites their lists by instance id. A target that is away or
//! empty hides nothing that another one lists. Where several list an instance, live ones count more than others; it is
//! draining or disabled if one of those that count says so. [`Freshness::Partial`] says that some are live and some are not,
//! and the [`View`]s say which.

mod all;
pub(crate) mod cache;
mod change;
mod config;
mod disk;
mod driver;
mod narrow;
mod table;

pub use self::{
    all::{FollowAll, Source},
    cache::DiskCache,
    change::{Change, Freshness, Listed, View, Viewer},
    config::{FollowConfig, HoldBack},
    driver::Follow,
    narrow::{Narrow, Rendezvous},
};
