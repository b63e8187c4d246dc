//! Active health: whether an endpoint says of itself that it serves.
//!
//! A [`HealthWatch`] keeps a `grpc.health.v1.Health/Watch` stream open on one link, as gRPC's proposal A17 has it:
//!
//! | what happens | what is known then |
//! | --- | --- |
//! | the link is not connected; the stream is being opened; the stream broke off | [`Health::Unknown`] |
//! | the server says SERVING | [`Health::Serving`] |
//! | it says anything else, `SERVICE_UNKNOWN` included | [`Health::NotServing`] |
//! | it answers UNIMPLEMENTED: it has no health service | [`Health::Serving`], until the link connects anew |
//!
//! The stream is opened only while the link is connected, and never connects it: an idle endpoint stays idle. A stream
//! that ends while the link stays connected is opened again after a pause that is drawn evenly from nothing up to
//! `min(longest, first * 2^n)` (full jitter, as everywhere here), n being the streams in a row that ended without an answer.
//!
//! A watch is a future that its owner polls, not a task: it costs a wake-up for each message, belongs to whoever looks
//! after the endpoint, and ends on the wire when it is dropped. A peer that dies without a word is found out by the
//! keep-alive of the connection, not by the watch.

mod config;
mod run;

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use rpc_core::{BoxFuture, transport::Link};
use tokio::sync::watch;

pub use self::config::HealthWatchConfig;

/// What an endpoint says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Health {
    /// Nothing is known now.
    #[default]
    Unknown,
    /// Calls should be sent to it.
    Serving,
    /// They should not.
    NotServing,
}

/// Watches the health of a service at one link.
///
/// Its stream is under way on the link: whoever closes the link drops the watch first, or waits for the server to end it.
///
/// ```
/// use std::sync::Arc;
/// use rpc_core::transport::Link;
/// use rpc_lb::health_watch::{Health, HealthWatch, HealthWatchConfig};
///
/// async fn follow(link: Arc<dyn Link>) {
///     let mut watch = HealthWatch::new(link, "shop.v1.Inventory", HealthWatchConfig::default());
///     while let Some(health) = watch.changed().await {
///         println!("calls should go there: {}", health != Health::NotServing);
///     }
///     // The link was closed.
/// }
/// ```
#[must_use = "a watch does nothing unless it is polled"]
pub struct HealthWatch {
    /// `None` once the link was closed.
    run: Option<BoxFuture<'static, ()>>,
    health: watch::Receiver<Health>,
    told: Health,
}

impl HealthWatch {
    /// A watch of a service by its full name; the empty name is the server as a whole. Nothing is sent before it is polled.
    pub fn new(link: Arc<dyn Link>, service: impl Into<String>, config: HealthWatchConfig) -> Self {
        let (tell, health) = watch::channel(Health::Unknown);
        let run = run::run(link, service.into(), config, tell);
        Self {
            run: Some(Box::pin(run)),
            health,
            told: Health::Unknown,
        }
    }

    /// What was known when it was last polled.
    pub fn health(&self) -> Health {
        *self.health.borrow()
    }

    /// Waits until another thing is known; `None` once the link was closed.
    ///
    /// Has to be polled all the time: nothing is received while it is not.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing; dropping the watch ends the stream.
    pub async fn changed(&mut self) -> Option<Health> {
        poll_fn(|cx| self.poll_changed(cx)).await
    }

    /// The same, as a poll.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Health>> {
        let Some(run) = &mut self.run else {
            return Poll::Ready(None);
        };
        // Only the run makes changes, so that nobody else has to wake for one.
        if run.as_mut().poll(cx).is_ready() {
            self.run = None;
        }
        let health = self.health();
        if std::mem::replace(&mut self.told, health) != health {
            return Poll::Ready(Some(health));
        }
        match self.run {
            Some(_) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for HealthWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HealthWatch").field(&self.health()).finish()
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<HealthWatch>();
};
