//! Ejection: an endpoint that fails, or is much slower than the others, gets no calls for a while.
//!
//! # What ejects
//! | what | when |
//! | --- | --- |
//! | failures one after the other | at once, by the call that ends with the last one of them |
//! | success rate below that of others with the same requests | at the sweep |
//! | too high a percentage of failures | at the sweep, if it is switched on |
//! | mean latency far above the median of others with the same requests | after two windows |
//!
//! The first three are Envoy's outlier detection and gRPC's A50, with their numbers. They do not see an endpoint that
//! answers well and late; the fourth does, whatever the balancer. The success rate has a smallest gap besides, without which
//! one failure more than the others would eject out of five healthy endpoints.
//!
//! # Compared with whom
//! With endpoints of the same [class](Sample::class): those that get the same requests. Those to which routers send other work
//! may be slower, or fail more often, by nature. A client's classes are what its routers have left for the requests that came
//! in the last minute, since the list of endpoints changed, parts of a division and nearness included; where there is no router,
//! all are of one. A class with too few endpoints to compare is not compared.
//!
//! # For how long
//! `base` times how often in a row, at most `max`. Each sweep in which an endpoint was not ejected takes one off the count.
//! What comes back is treated as if it had just started: see [slow start](super::SlowStartConfig). Its connection was kept.
//!
//! # How many
//! Never more than [`max_percent`](EjectConfig::max_percent) of those that can be called, but one in any case, if there are two.
//! Where more are bad, the
//! ones for which there is no room are *spared*: they get a much smaller share. One that fails takes the place of one that is
//! slow.
//!
//! # Who decides
//! [`Ejector::sweep`], which is told everything, time included, and depends on nothing else. The client's upkeep task runs
//! it about once a second while there are calls, and when a call says that its endpoint has failed too often.

mod config;
mod decision;
mod ejector;
mod outlier;
mod reason;

pub use self::{
    config::{EjectConfig, FailurePercentageConfig, LatencyConfig, SuccessRateConfig},
    decision::{Decision, Ejection, Sample, What},
    ejector::Ejector,
    reason::EjectReason,
};
