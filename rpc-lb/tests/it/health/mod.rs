//! Sick endpoints, young ones, and those that are not quite well.

mod ejection;
mod ejector;
#[cfg(feature = "prost")]
mod own_word;
mod recovery;
mod reports;
mod settings;
mod streams;
mod traffic;
mod view;
mod weights;

use std::sync::Arc;

use rpc_core::Status;
use rpc_lb::{Endpoint, EndpointView, Snapshot};

use crate::fleet::{Fleet, address};

/// What a server says that is broken.
pub(crate) fn broken() -> Status {
    Status::internal("broken")
}

impl Fleet {
    /// Makes the n-th instance fail all calls.
    pub(crate) fn break_down(&self, n: usize) {
        self.transport.of(&address(n)).behave(|_| Err(broken()));
    }

    pub(crate) fn mend(&self, n: usize) {
        self.transport.of(&address(n)).behave(|_| Ok(()));
    }

    /// Makes calls, one every so often, whatever comes of them.
    pub(crate) async fn calls(&self, calls: usize, every: std::time::Duration) {
        for _ in 0..calls {
            let _ = self.call().await;
            tokio::time::sleep(every).await;
        }
    }

    /// The n-th instance's endpoint.
    pub(crate) fn endpoint(&self, n: usize) -> Arc<Endpoint> {
        find(&self.endpoints.snapshot(), n).expect("it gets calls")
    }

    pub(crate) fn view(&self, n: usize) -> EndpointView {
        let id = format!("i-{n}");
        let mut view = self.endpoints.view().into_iter();
        let found = view.find(|view| view.instance.id.as_str() == id);
        found.expect("it is listed")
    }

    pub(crate) fn weight(&self, n: usize) -> f32 {
        self.view(n).weight
    }
}

fn find(snapshot: &Snapshot, n: usize) -> Option<Arc<Endpoint>> {
    let id = format!("i-{n}");
    let mut ready = snapshot.ready().iter();
    ready.find(|endpoint| endpoint.id().as_str() == id).cloned()
}
