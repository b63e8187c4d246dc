//! The messages of `xds/data/orca/v3/orca_load_report.proto` and `xds/service/orca/v3/orca.proto`, and the method of the
//! latter, which streams reports without any call: a balancer opens it on connections that are idle.
//!
//! What arrives in such a message is unchecked: [`LoadReport::from_message`](super::LoadReport::from_message) checks it.

use std::{collections::BTreeMap, time::Duration};

#[cfg(feature = "prost")]
use crate::{
    MethodDescriptor, ServiceDescriptor, Shape,
    codec::{Codec, MessageCodec, MethodTypes, Prost},
};

/// A report, unchecked. A number that is 0 was not reported.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct OrcaLoadReport {
    /// CPU, as a share of what the server may use; above 1 where it may use more for a while.
    #[prost(double, tag = "1")]
    pub cpu_utilization: f64,
    /// Memory, as a share of what the server may use.
    #[prost(double, tag = "2")]
    pub mem_utilization: f64,
    /// Calls in a second, as older senders write it.
    #[prost(uint64, tag = "3")]
    pub rps: u64,
    /// What the call cost, by name.
    #[prost(btree_map = "string, double", tag = "4")]
    pub request_cost: BTreeMap<String, f64>,
    /// Shares of resources, by name.
    #[prost(btree_map = "string, double", tag = "5")]
    pub utilization: BTreeMap<String, f64>,
    /// Calls in a second.
    #[prost(double, tag = "6")]
    pub rps_fractional: f64,
    /// Errors in a second.
    #[prost(double, tag = "7")]
    pub eps: f64,
    /// Anything else, by name.
    #[prost(btree_map = "string, double", tag = "8")]
    pub named_metrics: BTreeMap<String, f64>,
    /// Load as the application sees it.
    #[prost(double, tag = "9")]
    pub application_utilization: f64,
}

/// Asks for reports.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct OrcaLoadReportRequest {
    /// The longest time between two reports.
    #[prost(message, optional, tag = "1")]
    pub report_interval: Option<WireDuration>,
    /// Costs that are of interest; empty is all of them.
    #[prost(string, repeated, tag = "2")]
    pub request_cost_names: Vec<String>,
}

impl OrcaLoadReportRequest {
    /// Asks for a report as often as that.
    pub fn every(interval: Duration) -> Self {
        Self {
            report_interval: Some(WireDuration {
                seconds: i64::try_from(interval.as_secs()).unwrap_or(i64::MAX),
                nanos: interval.subsec_nanos().cast_signed(),
            }),
            request_cost_names: Vec::new(),
        }
    }

    /// The interval that is asked for; `None` if there is none, or a negative one.
    pub fn interval(&self) -> Option<Duration> {
        let WireDuration { seconds, nanos } = self.report_interval?;
        let (seconds, nanos) = (u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }
}

/// A `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct WireDuration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest, of the same sign.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[cfg(feature = "prost")]
const CODECS: &[&str] = &[<Prost as Codec>::NAME];

#[cfg(feature = "prost")]
static METHODS: [MethodDescriptor; 1] = [MethodDescriptor::new(
    "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics",
    Shape::ServerStreaming,
)
.idempotent()
.codecs(CODECS)];

/// The service that streams reports.
#[cfg(feature = "prost")]
pub static OPEN_RCA_SERVICE: ServiceDescriptor =
    ServiceDescriptor::new("xds.service.orca.v3.OpenRcaService", &METHODS);

/// Its method: a report at once, and then one in each interval.
#[cfg(feature = "prost")]
pub static STREAM_CORE_METRICS: MethodTypes<OrcaLoadReportRequest, OrcaLoadReport> = MethodTypes::new(
    &METHODS[0],
    &[MessageCodec::of::<Prost>()],
    &[MessageCodec::of::<Prost>()],
);
