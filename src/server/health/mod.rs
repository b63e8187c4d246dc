//! Health v1: `grpc.health.v1.Health`, which probes, load balancers and clients ask whether to send calls here.
//!
//! On by default, with the feature `prost`. The empty name stands for the server as a whole; each service that was added has its own. All of them
//! serve until [`HealthReporter`] says otherwise or the server begins to stop.
//!
//! | question | answer |
//! | --- | --- |
//! | `Check` of a name that is not known | `NOT_FOUND` |
//! | `Watch` of a name that is not known | `SERVICE_UNKNOWN`, and the stream stays open: the name may come |
//! | `Watch` while the status changes fast | the latest; none is sent twice in a row |
//! | `List` | at most 100 names, else `RESOURCE_EXHAUSTED` |
//! | anything, once the stop has begun | `NOT_SERVING`, whatever is reported afterwards |
//!
//! Watches end when the server tells its peers to go elsewhere, with UNAVAILABLE: ended before, they would only be
//! opened again on the same connection.
//!
//! One watch channel holds the whole table. A channel for each name was rejected: watches of names that are not known
//! would need entries that somebody has to remove again, and a peer could make as many of them as it likes.

#[cfg_attr(
    not(feature = "prost"),
    allow(dead_code, reason = "the service asks, and there is none")
)]
mod reporter;
#[cfg(feature = "prost")]
mod service;
#[cfg(all(test, feature = "prost"))]
mod tests;

pub use self::reporter::{HealthReporter, ServingStatus};
#[cfg(feature = "prost")]
pub(super) use self::service::HealthService;
