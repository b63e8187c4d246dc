//! A client's live view of one instance.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rpc_core::{net::Address, transport::Link};
use rpc_registry::{Instance, InstanceId};

/// An instance as this client sees it: its record, and the link to it.
///
/// Lives as long as the instance keeps its id and its address, whatever else of the record changes, so that nothing that
/// was learnt about it is lost.
pub struct Endpoint {
    id: InstanceId,
    instance: ArcSwap<Instance>,
    link: Arc<dyn Link>,
}

impl Endpoint {
    pub(crate) fn new(instance: Arc<Instance>, link: Arc<dyn Link>) -> Self {
        Self {
            id: instance.id.clone(),
            instance: ArcSwap::new(instance),
            link,
        }
    }

    /// What the instance is known by.
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// The instance's record, as it is now.
    pub fn instance(&self) -> Arc<Instance> {
        self.instance.load_full()
    }

    /// Where it is, for the protocol that this client speaks.
    pub fn address(&self) -> &Address {
        self.link.address()
    }

    /// The connections to it.
    pub fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    pub(crate) fn amend(&self, instance: Arc<Instance>) {
        self.instance.store(instance);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("address", self.address())
            .finish_non_exhaustive()
    }
}
