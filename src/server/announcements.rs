//! Whether the server is announced, for those who wait for it.

use std::sync::Arc;

use rpc_registry::AnnounceState;
use tokio::sync::watch;

/// Whether a server is announced, registry by registry. Cheap to clone.
///
/// A server serves also while no registry takes it, and its health is `SERVING`: what starts servers one after the other, and
/// stops older ones in exchange, has to wait for the announcement as well.
///
/// ```
/// # use rpc::{MemoryRegistry, server::ServeError};
/// # async fn doc(service: impl rpc::server::Service) -> Result<(), Box<dyn std::error::Error>> {
/// let server = rpc::Server::builder().add_service(service).register(MemoryRegistry::new(), "shop").build()?;
/// let announcements = server.announcements();
/// let serving = tokio::spawn(server.serve("0.0.0.0:50051"));
/// if announcements.announced().await {
///     println!("announced everywhere");
/// }
/// for announcement in announcements.states() {
///     println!("{}: {:?}", announcement.place, announcement.state);
/// }
/// # serving.await??;
/// # Ok(()) }
/// ```
///
/// A handle keeps nothing alive: once the server is gone, it says what was so last.
#[derive(Debug, Clone)]
pub struct Announcements(watch::Receiver<Vec<Announcement>>);

/// How far the announcement in one registry has got.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Announcement {
    /// The target that [`announce_at`](super::ServerBuilder::announce_at) was given, or the name that
    /// [`register`](super::ServerBuilder::register) was.
    pub place: Arc<str>,
    /// How far it has got. A registry that says no is [`Away`](AnnounceState::Away), by a fault of the kind
    /// [`Denied`](rpc_registry::FaultKind::Denied): it is asked again every half a minute, for ever.
    pub state: AnnounceState,
}

impl Announcements {
    /// How far each announcement has got: those that were given to `register` first, then those of `announce_at`. None where
    /// the server has no registry.
    ///
    /// All of them are waiting until the server serves and health says `SERVING`.
    pub fn states(&self) -> Vec<Announcement> {
        self.0.borrow().clone()
    }

    /// Waits until the server is announced in all of its registries at the same time, and answers `true`: at once where it has
    /// none. `false` if that does not come to be any more: the server stops or is gone, or was
    /// [withdrawn](rpc_registry::InstanceHandle::withdraw).
    ///
    /// A registry that loses the server afterwards, or is away, is no reason to stop calling it: clients keep their lists
    /// meanwhile.
    pub async fn announced(&self) -> bool {
        let mut now = self.0.clone();
        let settled = now
            .wait_for(|all| all.iter().all(Announcement::is_there) || all.iter().any(Announcement::is_over));
        settled
            .await
            .is_ok_and(|all| all.iter().all(Announcement::is_there))
    }

    /// Waits for a change since the last one that this handle has waited for, or else since it was taken from the server. `false` if
    /// there will be none any more: the server is gone.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl Announcement {
    fn is_there(&self) -> bool {
        matches!(self.state, AnnounceState::Announced)
    }

    fn is_over(&self) -> bool {
        matches!(self.state, AnnounceState::Withdrawn | AnnounceState::Left(_))
    }
}

/// Says how the announcements are.
#[derive(Clone)]
pub(super) struct Teller(Arc<watch::Sender<Vec<Announcement>>>);

impl Teller {
    /// Of announcements at these places, which have not begun.
    pub(super) fn new(places: impl Iterator<Item = Arc<str>>) -> Self {
        let waiting = places.map(|place| Announcement {
            place,
            state: AnnounceState::Waiting,
        });
        Self(Arc::new(watch::Sender::new(waiting.collect())))
    }

    pub(super) fn announcements(&self) -> Announcements {
        Announcements(self.0.subscribe())
    }

    /// Says how far that at one place has got.
    pub(super) fn tell(&self, index: usize, state: AnnounceState) {
        self.0.send_modify(|all| {
            if let Some(announcement) = all.get_mut(index) {
                announcement.state = state;
            }
        });
    }

    /// Says all that becomes of one, until it has ended.
    pub(super) async fn follow(&self, index: usize, mut state: watch::Receiver<AnnounceState>) {
        while state.changed().await.is_ok() {
            let now = state.borrow_and_update().clone();
            self.tell(index, now);
        }
    }
}
