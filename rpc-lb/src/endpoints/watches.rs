//! The watches of what endpoints say of their health: parts of the upkeep task, not tasks of their own.

use std::sync::Arc;

use futures_util::{
    future::{AbortHandle, Abortable},
    stream::{self, BoxStream, SelectAll, StreamExt as _},
};
use rpc_core::transport::Link;

use crate::health::Said;

/// All watches of a client; none, in most of them, takes no room.
#[derive(Default)]
pub(super) struct Watches(Option<SelectAll<Abortable<BoxStream<'static, News>>>>);

/// What an endpoint says now.
pub(super) struct News {
    pub(super) number: u64,
    pub(super) said: Said,
}

/// Ends a watch, and the stream that it keeps open, when it is dropped.
pub(super) struct Stop(AbortHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watches {
    /// Begins to watch the health of a service at a link.
    pub(super) fn begin(&mut self, number: u64, link: &Arc<dyn Link>, service: &str) -> Stop {
        let (stop, registration) = AbortHandle::new_pair();
        let news = said(link, service).map(move |said| News { number, said });
        let watches = self.0.get_or_insert_default();
        watches.push(Abortable::new(news.boxed(), registration));
        Stop(stop)
    }

    /// Waits until an endpoint says something else; for ever if none does.
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> News {
        if let Some(watches) = &mut self.0
            && let Some(news) = watches.next().await
        {
            return news;
        }
        std::future::pending().await
    }

    /// Ends all of them.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(feature = "prost")]
fn said(link: &Arc<dyn Link>, service: &str) -> BoxStream<'static, Said> {
    use crate::health_watch::{Health, HealthWatch, HealthWatchConfig};

    let watch = HealthWatch::new(Arc::clone(link), service, HealthWatchConfig::default());
    let next = async |mut watch: HealthWatch| {
        let said = match watch.changed().await? {
            Health::Serving => Said::Serving,
            Health::NotServing => Said::NotServing,
            Health::Unknown => Said::Unknown,
        };
        Some((said, watch))
    };
    stream::unfold(watch, next).boxed()
}

/// Without the messages of the health service nobody can say anything.
#[cfg(not(feature = "prost"))]
fn said(_: &Arc<dyn Link>, _: &str) -> BoxStream<'static, Said> {
    stream::empty().boxed()
}
