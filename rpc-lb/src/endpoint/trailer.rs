//! What an endpoint says of its load in the trailers of its answers.

use std::sync::Arc;

use bytes::Bytes;
use rpc_core::{
    Metadata,
    load::{LoadReport, TRAILER},
};
use tokio::time::Instant;

use super::Endpoint;

impl Endpoint {
    /// Takes a load report in, if there is one among the trailers. One that cannot be read counts as none.
    #[inline]
    pub(crate) fn hear(&self, trailers: &Metadata) {
        if !trailers.is_empty() {
            self.hear_some(trailers);
        }
    }

    fn hear_some(&self, trailers: &Metadata) {
        let Some(bytes) = trailers.get_bin(TRAILER) else {
            return;
        };
        let now = Instant::now();
        // A server renews its report once in an interval, not once a call.
        let known = self.report.load();
        if known.as_ref().is_some_and(|known| **known == bytes)
            && let Some((reported, _)) = self.stats.reported(now)
        {
            self.stats.set_reported(reported, now);
            return;
        }
        match LoadReport::decode(&bytes) {
            Ok(report) => {
                self.stats.set_reported(&report, now);
                self.report.store(Some(Arc::new(Bytes::copy_from_slice(&bytes))));
            }
            Err(error) => tracing::debug!(endpoint = ?self, %error, "a load report that cannot be read"),
        }
    }
}
