//! Where clients learn of instances.
//!
//! # Why a watch and not a stream
//! A stream of updates that meets a fault must either end, or pause and try again by itself. The first loses the place
//! where it stood (a revision, an index, a cookie), so that each fault costs a full list; the second puts the pausing
//! into every adapter. A [`Watch`] stays after a fault: it keeps its place, and whoever drives it decides when to ask again.
//!
//! # Who does what
//! A watch asks and translates. It never pauses, caches, tries again, filters, compares with what it told before, or doubts
//! what it is told: [`follow`](crate::follow) does all that, once for all registries. A record that it cannot read it hands
//! on as a [`BadRecord`](crate::BadRecord) among the good ones.
//!
//! # How registries fit
//! | registry | a watch is | place it keeps | an update | a fault |
//! | --- | --- | --- | --- | --- |
//! | etcd | a range read, then a watch stream from its revision + 1 | revision | range: snapshot or absent; events: delta | broken stream: transient, goes on from the revision; compacted: behind |
//! | Consul | a blocking query `index=N&wait=55s` | index; one that is lower than ours is 0 next | each answer: snapshot or absent, equal ones included | no known leader: [`Stale`](crate::Update::Stale) |
//! | Nacos | a subscription on its connection, redone after a new connection | – | each push: snapshot or absent | connection gone: transient |
//! | Kubernetes | list pages up to the end into one snapshot, then watch with bookmarks | resource version | events: delta of addresses, where one lives while any slice has it | 410: behind |
//! | ZooKeeper | read children *with* a watch; after it fired, again | – | snapshot, reading only the new children | session expired: behind |
//! | Bilibili Discovery | a long poll, 30 s | timestamp, with the node that gave it | each answer: snapshot; not modified is no update | node changed: behind |
//! | xDS | an aggregated stream; acknowledging is the watch's own affair | version, nonce | each resource: snapshot; resource does not exist: absent | stream lost: transient |
//! | DNS | a lookup when the last answer's time is up, or on a [`Refresh`] | – | snapshot; no such name: absent | SERVFAIL, timeout: transient |

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::{Fault, Update};

/// Learns the instances of one target.
pub trait Resolver: Send + Sync + 'static {
    /// Begins to watch. Nothing is asked of the registry before the first [`Watch::next`].
    fn watch(&self) -> Box<dyn Watch>;

    /// True if what vanishes from its lists was taken out by somebody who meant it, as from a file that people write or a
    /// registry inside the process. Nothing is held back then. Default: false, as of all registries that forget who does not
    /// renew.
    fn is_deliberate(&self) -> bool {
        false
    }
}

/// A watch of the instances of one target.
#[async_trait]
pub trait Watch: Send + 'static {
    /// The next update; waits, for ever if need be, while there is none. The first one, unless it is
    /// [`Stale`](Update::Stale), is a [`Snapshot`](Update::Snapshot) or [`Absent`](Update::Absent).
    ///
    /// After a fault, the next update says that the registry answers again, so it comes as soon as it does: a watch that goes
    /// on from where it stood, and has nothing to tell, tells a [`Delta`](Update::Delta) of nothing.
    ///
    /// A watch notices by itself that its registry has fallen silent, and says so with a fault: nobody above can tell
    /// silence from peace.
    ///
    /// # Errors
    /// [`Fault`]. Asking again makes another attempt, from where the watch stood if the registry can do that, else
    /// beginning with a snapshot; after [`FaultKind::Behind`](crate::FaultKind::Behind) it begins with a snapshot. Pausing
    /// before is the caller's part.
    ///
    /// # Cancellation
    /// Dropping the future loses no update. It may well give up an exchange with the registry that is under way, so a future
    /// that is dropped again and again need not get anywhere: [`follow`](crate::follow) keeps it until it has ended.
    async fn next(&mut self) -> Result<Update, Fault>;

    /// Tells the watch, before the first [`next`](Self::next), by what it hears that somebody could not connect to an instance:
    /// if it asks now and then, it asks sooner, also while `next` waits. It bounds by itself how often. The default does
    /// nothing, which is right where the registry pushes.
    fn listen(&mut self, refresh: Refresh) {
        drop(refresh);
    }
}

/// How a [`Watch`] hears that somebody could not connect to an instance. Cheap to clone; clones are the same.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use rpc_registry::Refresh;
///
/// let ours = Refresh::new();
/// let watchs = ours.clone();
/// ours.ask();
/// watchs.asked().await; // At once: it was asked for already.
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Refresh(Arc<Notify>);

impl Refresh {
    /// One that nobody has asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for it. While the watch is not waiting for that, it is remembered, once.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Waits until it is asked for.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing.
    pub async fn asked(&self) {
        self.0.notified().await;
    }
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn watch(&self) -> Box<dyn Watch> {
        R::watch(self)
    }

    fn is_deliberate(&self) -> bool {
        R::is_deliberate(self)
    }
}

const _: fn(&dyn Resolver, &dyn Watch) = |_, _| {};
