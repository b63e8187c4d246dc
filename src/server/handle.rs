//! Stopping a server from elsewhere.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops a server, from wherever it is needed. Cheap to clone.
///
/// A handle keeps nothing alive: once the server is gone, it does nothing.
#[derive(Debug, Clone)]
pub struct ServerHandle(Arc<watch::Sender<Wanted>>);

/// What somebody asked for. It only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Serving,
    Stop,
    StopNow,
    Stopped,
}

impl ServerHandle {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Wanted::Serving)))
    }

    /// Begins the graceful stop. Returns at once; [`stopped`](Self::stopped) waits.
    pub fn shutdown(&self) {
        self.advance(Wanted::Stop);
    }

    /// Stops without grace, also in the middle of a graceful stop: what runs is cancelled.
    pub fn shutdown_now(&self) {
        self.advance(Wanted::StopNow);
    }

    /// Waits until the server has stopped. If it never serves, until it is dropped.
    pub async fn stopped(&self) {
        self.reached(Wanted::Stopped).await;
    }

    /// Waits until somebody has asked for the stop.
    pub(super) async fn stop_wanted(&self) {
        self.reached(Wanted::Stop).await;
    }

    /// Waits until somebody has asked for the stop without grace.
    pub(super) async fn stop_now_wanted(&self) {
        self.reached(Wanted::StopNow).await;
    }

    fn reached(&self, wanted: Wanted) -> impl Future<Output = ()> + Send + use<> {
        let mut receiver = self.0.subscribe();
        let keep = Arc::clone(&self.0);
        async move {
            // It cannot fail: the sender is kept.
            let _ = receiver.wait_for(|now| *now >= wanted).await;
            drop(keep);
        }
    }

    fn advance(&self, wanted: Wanted) {
        self.0.send_if_modified(|now| {
            let forward = wanted > *now;
            if forward {
                *now = wanted;
            }
            forward
        });
    }
}

/// Says that the server has stopped, when it is dropped: also if whoever served it was.
#[derive(Debug)]
pub(super) struct StoppedOnDrop(pub(super) ServerHandle);

impl Drop for StoppedOnDrop {
    fn drop(&mut self) {
        self.0.advance(Wanted::Stopped);
    }
}
