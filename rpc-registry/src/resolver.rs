//! Where clients learn of instances.
//!
//! # Why a watch and not a stream
//! A stream of updates that meets a fault must either end, or pause and try again by itself. The first loses the place
//! where it stood (a revision, an index, a cookie), so that each fault costs a full list; the second puts the pausing
//! into every adapter. A [`Watch`] stays after a fault: it keeps its place, and whoever drives it decides when to ask again.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Fault, Update};

/// Learns the instances of one target.
pub trait Resolver: Send + Sync + 'static {
    /// Begins to watch. Nothing is asked of the registry before the first [`Watch::next`].
    fn watch(&self) -> Box<dyn Watch>;
}

/// A watch of the instances of one target.
#[async_trait]
pub trait Watch: Send + 'static {
    /// The next update; waits, for ever if need be, while there is none. The first one is a
    /// [`Snapshot`](Update::Snapshot) or [`Absent`](Update::Absent).
    ///
    /// # Errors
    /// [`Fault`]. Asking again makes another attempt, from where the watch stood if the registry can do that, else
    /// beginning with a snapshot. Pausing before is the caller's part.
    ///
    /// # Cancellation
    /// Dropping the future loses no update.
    async fn next(&mut self) -> Result<Update, Fault>;
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn watch(&self) -> Box<dyn Watch> {
        R::watch(self)
    }
}

const _: fn(&dyn Resolver, &dyn Watch) = |_, _| {};
