//! The instance as its owner wants it to be announced.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use crate::{Amendment, Instance, InstanceState};

/// Changes an instance while it is announced. Cheap to clone; clones are of the same instance.
///
/// What is changed before it is announced counts as well.
#[derive(Clone)]
pub struct InstanceHandle(Arc<watch::Sender<Wanted>>);

#[derive(Debug, Clone)]
pub(super) struct Wanted {
    instance: Instance,
    healthy: bool,
    withdrawn: bool,
}

impl InstanceHandle {
    /// Of an instance that is not healthy yet.
    pub fn new(instance: Instance) -> Self {
        Self(Arc::new(watch::Sender::new(Wanted {
            instance,
            healthy: false,
            withdrawn: false,
        })))
    }

    /// The instance, as its owner wants it.
    pub fn instance(&self) -> Instance {
        self.0.borrow().instance.clone()
    }

    /// Changes weight, lane, groups or state, without announcing it anew. The same holds as for [`update`](Self::update).
    pub fn amend(&self, amendment: &Amendment) {
        self.update(|instance| amendment.apply(instance));
    }

    /// Changes anything but the id. A change, while it is announced, that makes it one that clients
    /// or registries [refuse](Instance::check_written) is not made, with a warning that names the field.
    pub fn update(&self, f: impl FnOnce(&mut Instance)) {
        self.0.send_if_modified(|wanted| {
            let before = wanted.instance.clone();
            f(&mut wanted.instance);
            // Two ids would be two instances.
            wanted.instance.id = before.id.clone();
            // Before that, the announcer refuses it, and says so to who waits for it.
            if self.0.receiver_count() > 0
                && before.check_written().is_ok()
                && let Err(fault) = wanted.instance.check_written()
            {
                tracing::warn!(id = %before.id, %fault, "the instance stays as it is");
                wanted.instance = before;
                return false;
            }
            wanted.instance != before
        });
    }

    /// Lets calls come.
    pub fn enable(&self) {
        self.amend(&Amendment::new().with_state(InstanceState::Up));
    }

    /// Keeps it announced, without calls.
    pub fn disable(&self) {
        self.amend(&Amendment::new().with_state(InstanceState::Disabled));
    }

    /// Says whether it can serve. The first time it can, it is announced; while it cannot, it is shown as disabled.
    pub fn set_healthy(&self, healthy: bool) {
        self.0
            .send_if_modified(|wanted| std::mem::replace(&mut wanted.healthy, healthy) != healthy);
    }

    /// Takes it out of all registries: the [`Announcer`](super::Announcer)s end when that is done. For good.
    pub fn withdraw(&self) {
        self.0
            .send_if_modified(|wanted| !std::mem::replace(&mut wanted.withdrawn, true));
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Wanted> {
        self.0.subscribe()
    }
}

impl Wanted {
    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// The instance as registries shall show it.
    pub(super) fn shown(&self) -> Instance {
        let mut instance = self.instance.clone();
        if !self.healthy && instance.state == InstanceState::Up {
            instance.state = InstanceState::Disabled;
        }
        instance
    }
}

impl fmt::Debug for InstanceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InstanceHandle").field(&*self.0.borrow()).finish()
    }
}
