//! A line of the JSON: what one subject showed in one cell.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    cell::{Cell, Scenario},
    recovery::Recovery,
    sample::{Sample, Samples},
};

/// A line of the JSON. What a scenario does not measure is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// Which program measured it. Ratios between different ones mean nothing.
    pub(crate) build: String,
    pub(crate) shape: String,
    pub(crate) scenario: String,
    pub(crate) payload: usize,
    pub(crate) concurrency: usize,
    pub(crate) subject: String,
    /// Calls that were due each second, of an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<u32>,
    /// Connections beside the busy one, or channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<usize>,
    /// Endpoints of each channel, or to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoints: Option<usize>,
    #[serde(flatten)]
    pub(crate) calls: Option<Calls>,
    /// Bytes on the heap for each idle connection or channel, on the client's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heap_client_bytes: Option<f64>,
    /// The same on the server's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heap_server_bytes: Option<f64>,
    /// What an instance that falls sick does to a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovery: Option<Recovery>,
}

/// Medians over the rounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON")]
pub(crate) struct Calls {
    pub(crate) calls_per_second: f64,
    /// Largest minus smallest round, as a part of the median.
    pub(crate) calls_per_second_spread: f64,
    /// The median, over the rounds, of the multiple of what another subject did in the same round.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) calls_per_second_over: BTreeMap<String, f64>,
    /// Percentiles are of single calls, or of whole streams. There are none where calls were timed many at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p999_us: Option<f64>,
    pub(crate) cpu_us_per_call: f64,
    pub(crate) allocs_per_call: f64,
    pub(crate) rounds: usize,
    /// Rounds in which other processes used more than 5 % of the machine, or the CPUs were at another distance. They are
    /// dropped, unless all are of that kind.
    #[serde(default)]
    pub(crate) rounds_disturbed: usize,
    /// Which part of the machine others used, 0 to 1.
    pub(crate) others: f64,
    /// How long a cache line took from one CPU to the other and back meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hop_ns: Option<f64>,
}

impl Record {
    pub(crate) fn new(build: &str, cell: &Cell, subject: &str) -> Self {
        Self {
            build: build.to_owned(),
            shape: cell.shape.name().to_owned(),
            scenario: cell.scenario.name().to_owned(),
            payload: cell.payload,
            concurrency: cell.concurrency,
            subject: subject.to_owned(),
            rate: match cell.scenario {
                Scenario::OpenLoop { per_second } => Some(per_second),
                _ => None,
            },
            ..Self::default()
        }
    }

    pub(crate) fn with_calls(self, samples: &Samples) -> Self {
        Self {
            calls: Some(Calls::of(samples)),
            ..self
        }
    }

    /// The same with the calls per second as multiples of those of other subjects, which were measured in the same rounds.
    pub(crate) fn over<'s>(
        mut self,
        samples: &Samples,
        others: impl IntoIterator<Item = (&'s str, &'s Samples)>,
    ) -> Self {
        if let Some(calls) = &mut self.calls {
            calls.calls_per_second_over = others
                .into_iter()
                .map(|(name, other)| (name.to_owned(), samples.over(other, |s| s.calls_per_second)))
                .collect();
        }
        self
    }

    /// The cell, as its name has it.
    pub(crate) fn cell(&self) -> String {
        let Self {
            shape,
            scenario,
            payload,
            concurrency,
            ..
        } = self;
        if let Some(Recovery { balancer, fault, .. }) = &self.recovery {
            return format!("{scenario} {fault} {balancer}");
        }
        match (self.rate, self.idle, self.endpoints) {
            (Some(rate), ..) => format!("{shape} {scenario} {payload} B {rate}/s"),
            (_, Some(idle), Some(endpoints)) => format!("{scenario} {idle}, {endpoints} endpoints each"),
            (_, Some(idle), None) => format!("{scenario} {idle} idle"),
            (_, None, Some(endpoints)) => format!("{shape} {scenario} of {endpoints} endpoints"),
            _ => format!("{shape} {scenario} {payload} B x{concurrency}"),
        }
    }

    /// The same cell of another subject, measured by the same program.
    pub(crate) fn peer<'a>(&self, records: &'a [Self], subject: &str) -> Option<&'a Self> {
        records.iter().find(|other| {
            other.subject == subject && other.build == self.build && other.cell() == self.cell()
        })
    }
}

impl Calls {
    /// True unless all rounds were disturbed: such figures prove nothing, one way or the other.
    pub(crate) fn is_sound(&self) -> bool {
        self.rounds == 0 || self.rounds_disturbed < self.rounds
    }

    /// What stands behind such figures: `*` if all rounds were disturbed.
    pub(crate) fn mark(&self) -> &'static str {
        if self.is_sound() { "" } else { "*" }
    }

    /// Calls per second as a multiple of those of another subject in the same cell.
    pub(crate) fn speed_over(&self, subject: &str, base: &Self) -> f64 {
        let by_round = self.calls_per_second_over.get(subject);
        by_round.map_or_else(|| self.calls_per_second / base.calls_per_second, |ratio| *ratio)
    }

    fn of(samples: &Samples) -> Self {
        let percentile = |of: fn(&Sample) -> f64| Some(samples.median(of)).filter(|us| !us.is_nan());
        Self {
            calls_per_second: samples.median(|s| s.calls_per_second),
            calls_per_second_spread: samples.spread(|s| s.calls_per_second),
            calls_per_second_over: BTreeMap::new(),
            p50_us: percentile(|s| s.p50_us),
            p99_us: percentile(|s| s.p99_us),
            p999_us: percentile(|s| s.p999_us),
            cpu_us_per_call: samples.median(|s| s.cpu_us_per_call),
            allocs_per_call: samples.median(|s| s.allocs_per_call),
            rounds: samples.len(),
            rounds_disturbed: samples.disturbed(),
            others: samples.median(|s| s.others),
            hop_ns: samples.hop_ns(),
        }
    }
}

/// Reads an array of records.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Record>> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
}

/// Writes an array of records.
pub(crate) fn write(path: &Path, records: &[Record]) -> io::Result<()> {
    fs::write(
        path,
        serde_json::to_vec_pretty(records).map_err(io::Error::other)?,
    )
}
