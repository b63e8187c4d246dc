//! Who says whether a service serves.

use std::{collections::BTreeMap, fmt, sync::Arc};

use tokio::sync::watch;

/// Whether calls should be sent to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServingStatus {
    /// Yes.
    Serving,
    /// No: those that come are answered all the same.
    NotServing,
}

/// Says how the services of a server are. Cheap to clone; clones report to the same server.
///
/// It is of one server: once that has begun to stop nothing serves any more, and another server is refused with it.
///
/// ```
/// use rpc::server::{HealthReporter, ServingStatus};
///
/// let health = HealthReporter::new();
/// // ... `Server::builder().health(health.clone())` ...
/// health.set("shop.v1.Inventory", ServingStatus::NotServing);
/// assert_eq!(health.get("shop.v1.Inventory"), Some(ServingStatus::NotServing));
/// assert_eq!(health.get(""), Some(ServingStatus::Serving));
/// ```
#[derive(Clone)]
pub struct HealthReporter(Arc<watch::Sender<Table>>);

/// What is known of all services.
#[derive(Debug)]
pub(super) struct Table {
    services: BTreeMap<String, ServingStatus>,
    stage: Stage,
}

/// How far the server's stop has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What was reported holds.
    Reported,
    /// Nothing serves any more.
    Draining,
    /// The same, and watches end.
    Ended,
}

impl HealthReporter {
    /// Knows the server as a whole, which serves.
    pub fn new() -> Self {
        let services = BTreeMap::from([(String::new(), ServingStatus::Serving)]);
        Self(Arc::new(watch::Sender::new(Table {
            services,
            stage: Stage::Reported,
        })))
    }

    /// Says how a service is; the empty name is the server as a whole. Ignored once the server has begun to stop.
    pub fn set(&self, service: impl Into<String>, status: ServingStatus) {
        self.change(|services| services.insert(service.into(), status) != Some(status));
    }

    /// Forgets a service: it is not known from then on. The server as a whole is always known.
    pub fn remove(&self, service: &str) {
        if !service.is_empty() {
            self.change(|services| services.remove(service).is_some());
        }
    }

    /// How a service is; `None` if it is not known.
    pub fn get(&self, service: &str) -> Option<ServingStatus> {
        self.0.borrow().get(service)
    }

    /// True once the server has begun to stop.
    pub(in crate::server) fn is_over(&self) -> bool {
        self.0.borrow().stage != Stage::Reported
    }

    /// Makes a service known, unless somebody has reported on it already.
    pub(in crate::server) fn add(&self, service: &str) {
        self.change(|services| {
            let new = !services.contains_key(service);
            services
                .entry(service.to_owned())
                .or_insert(ServingStatus::Serving);
            new
        });
    }

    /// Nothing serves from now on.
    pub(in crate::server) fn drain(&self) {
        self.advance(Stage::Draining);
    }

    /// Watches end.
    pub(in crate::server) fn end(&self) {
        self.advance(Stage::Ended);
    }

    /// Waits until the server as a whole serves, or does not.
    pub(in crate::server) async fn until(&self, serves: bool) {
        let is_so = |table: &Table| (table.get("") == Some(ServingStatus::Serving)) == serves;
        // It cannot fail: the sender is kept.
        let _ = self.0.subscribe().wait_for(is_so).await;
    }

    /// Waits until watches end.
    pub(in crate::server) async fn ended(&self) {
        // It cannot fail: the sender is kept.
        let _ = self.0.subscribe().wait_for(Table::has_ended).await;
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Table> {
        self.0.subscribe()
    }

    /// How all services are; `None` if there are more than `limit`.
    pub(super) fn list(&self, limit: usize) -> Option<Vec<(String, ServingStatus)>> {
        let table = self.0.borrow();
        (table.services.len() <= limit).then(|| {
            let statuses = table
                .services
                .iter()
                .map(|(name, status)| (name.clone(), table.effective(*status)));
            statuses.collect()
        })
    }

    /// Changes what is reported, and wakes the watches if `f` says that it did.
    fn change(&self, f: impl FnOnce(&mut BTreeMap<String, ServingStatus>) -> bool) {
        self.0
            .send_if_modified(|table| table.stage == Stage::Reported && f(&mut table.services));
    }

    fn advance(&self, stage: Stage) {
        self.0.send_if_modified(|table| {
            let forward = (table.stage as u8) < (stage as u8);
            if forward {
                table.stage = stage;
            }
            forward
        });
    }
}

impl Table {
    pub(super) fn get(&self, service: &str) -> Option<ServingStatus> {
        self.services.get(service).map(|status| self.effective(*status))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    fn effective(&self, reported: ServingStatus) -> ServingStatus {
        if self.stage == Stage::Reported {
            reported
        } else {
            ServingStatus::NotServing
        }
    }
}

impl Default for HealthReporter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HealthReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HealthReporter").field(&*self.0.borrow()).finish()
    }
}
