//! A report whose numbers were checked.

use std::{collections::BTreeMap, ops::RangeInclusive};

use bytes::Bytes;
use prost::Message as _;

use super::{CORES, IN_FLIGHT, InvalidLoad, TRAILER, wire::OrcaLoadReport};
use crate::Metadata;

/// How busy a server says that it is.
///
/// Shares are of what the server may use, 1 being all of it. A number that was not reported is 0, as in ORCA: 0 means
/// "nothing is known", and a balancer should not take it for "idle".
///
/// Bounds: at most [`MAX_NAMES`](Self::MAX_NAMES) named values in all three groups together, names of at most
/// [`MAX_NAME_BYTES`](Self::MAX_NAME_BYTES), and [`MAX_BYTES`](Self::MAX_BYTES) encoded. A report of a peer's that passes one
/// of them is refused as a whole.
///
/// ```
/// use rpc_core::load::LoadReport;
///
/// let mut report = LoadReport::new();
/// report.set_cpu_utilization(0.75)?;
/// report.set_utilization("gpu", 0.5)?;
/// let received = LoadReport::decode(&report.encode())?;
/// assert_eq!(received.cpu_utilization(), 0.75);
/// assert_eq!(received.utilization("gpu"), Some(0.5));
/// assert!(report.set_eps(f64::NAN).is_err());
/// # Ok::<(), rpc_core::load::InvalidLoad>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadReport(OrcaLoadReport);

/// A load of 0 and more.
const ANY: RangeInclusive<f64> = 0.0..=f64::MAX;
/// A share that cannot be above all.
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// A metric whose meaning is the application's.
const FINITE: RangeInclusive<f64> = f64::MIN..=f64::MAX;

impl LoadReport {
    /// So many named values at most.
    pub const MAX_NAMES: usize = 32;
    /// A name is so long at most.
    pub const MAX_NAME_BYTES: usize = 128;
    /// An encoded report is so long at most.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Reports nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// CPU in use. Above 1 where a server may use more than its part for a while.
    pub fn cpu_utilization(&self) -> f64 {
        self.0.cpu_utilization
    }

    /// Memory in use, at most 1.
    pub fn mem_utilization(&self) -> f64 {
        self.0.mem_utilization
    }

    /// Load as the application sees it. A balancer prefers it to that of the CPU.
    pub fn application_utilization(&self) -> f64 {
        self.0.application_utilization
    }

    /// Calls in a second.
    pub fn rps(&self) -> f64 {
        self.0.rps_fractional
    }

    /// Errors in a second.
    pub fn eps(&self) -> f64 {
        self.0.eps
    }

    /// Calls that the server works on, where it is one of ours.
    pub fn in_flight(&self) -> Option<f64> {
        self.named_metric(IN_FLIGHT).filter(|calls| *calls >= 0.0)
    }

    /// CPUs that the server may use, where it is one of ours. Never 0.
    pub fn cores(&self) -> Option<f64> {
        self.named_metric(CORES).filter(|cores| *cores > 0.0)
    }

    /// The use of a resource that the application named, at most 1.
    pub fn utilization(&self, name: &str) -> Option<f64> {
        self.0.utilization.get(name).copied()
    }

    /// All resources that the application named, in the order of their names.
    pub fn utilizations(&self) -> impl Iterator<Item = (&str, f64)> {
        pairs(&self.0.utilization)
    }

    /// A metric that the application named.
    pub fn named_metric(&self, name: &str) -> Option<f64> {
        self.0.named_metrics.get(name).copied()
    }

    /// All metrics that the application named, in the order of their names.
    pub fn named_metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        pairs(&self.0.named_metrics)
    }

    /// What the call cost, by name: only in the report of one call.
    pub fn request_cost(&self, name: &str) -> Option<f64> {
        self.0.request_cost.get(name).copied()
    }

    /// All costs, in the order of their names.
    pub fn request_costs(&self) -> impl Iterator<Item = (&str, f64)> {
        pairs(&self.0.request_cost)
    }

    /// Sets the CPU in use.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_cpu_utilization(&mut self, share: f64) -> Result<(), InvalidLoad> {
        self.0.cpu_utilization = within("cpu_utilization", share, &ANY)?;
        Ok(())
    }

    /// Sets the memory in use.
    ///
    /// # Errors
    /// If it is not between 0 and 1.
    pub fn set_mem_utilization(&mut self, share: f64) -> Result<(), InvalidLoad> {
        self.0.mem_utilization = within("mem_utilization", share, &SHARE)?;
        Ok(())
    }

    /// Sets the load as the application sees it.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_application_utilization(&mut self, share: f64) -> Result<(), InvalidLoad> {
        self.0.application_utilization = within("application_utilization", share, &ANY)?;
        Ok(())
    }

    /// Sets the calls in a second.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_rps(&mut self, rps: f64) -> Result<(), InvalidLoad> {
        self.0.rps_fractional = within("rps_fractional", rps, &ANY)?;
        Ok(())
    }

    /// Sets the errors in a second.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_eps(&mut self, eps: f64) -> Result<(), InvalidLoad> {
        self.0.eps = within("eps", eps, &ANY)?;
        Ok(())
    }

    /// Sets the use of a resource.
    ///
    /// # Errors
    /// If it is not between 0 and 1, the name is empty or too long, or there are too many.
    pub fn set_utilization(&mut self, name: &str, share: f64) -> Result<(), InvalidLoad> {
        named("utilization", name, share, &SHARE)?;
        let room = self.room();
        put("utilization", room, &mut self.0.utilization, name, share)
    }

    /// Sets a metric.
    ///
    /// # Errors
    /// If it is not finite, the name is empty or too long, or there are too many.
    pub fn set_named_metric(&mut self, name: &str, value: f64) -> Result<(), InvalidLoad> {
        named("named_metrics", name, value, &FINITE)?;
        let room = self.room();
        put("named_metrics", room, &mut self.0.named_metrics, name, value)
    }

    /// Sets what the call cost.
    ///
    /// # Errors
    /// If it is negative or not finite, the name is empty or too long, or there are too many.
    pub fn set_request_cost(&mut self, name: &str, cost: f64) -> Result<(), InvalidLoad> {
        named("request_cost", name, cost, &ANY)?;
        let room = self.room();
        put("request_cost", room, &mut self.0.request_cost, name, cost)
    }

    /// Takes the use of a resource out; true if it was there.
    pub fn remove_utilization(&mut self, name: &str) -> bool {
        self.0.utilization.remove(name).is_some()
    }

    /// Takes a metric out; true if it was there.
    pub fn remove_named_metric(&mut self, name: &str) -> bool {
        self.0.named_metrics.remove(name).is_some()
    }

    /// True if nothing is reported.
    pub fn is_empty(&self) -> bool {
        self.0 == OrcaLoadReport::default()
    }

    /// The report as the trailer carries it: an `OrcaLoadReport`.
    pub fn encode(&self) -> Bytes {
        self.0.encode_to_vec().into()
    }

    /// Reads a report that a peer sent.
    ///
    /// # Errors
    /// If it is not an `OrcaLoadReport`, holds a number that is no load, or passes a bound; the field is named.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidLoad> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(InvalidLoad::new(
                "OrcaLoadReport",
                format!("has {} bytes: {} are the most", bytes.len(), Self::MAX_BYTES),
            ));
        }
        let message = OrcaLoadReport::decode(bytes)
            .map_err(|error| InvalidLoad::new("OrcaLoadReport", format!("is malformed: {error}")))?;
        Self::from_message(message)
    }

    /// The report in the trailers of an answer; `None` if there is none.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn from_trailers(trailers: &Metadata) -> Option<Result<Self, InvalidLoad>> {
        Some(Self::decode(&trailers.get_bin(TRAILER)?))
    }

    /// Checks what arrived.
    ///
    /// # Errors
    /// If it holds a number that is no load, or passes a bound; the field is named.
    pub fn from_message(mut message: OrcaLoadReport) -> Result<Self, InvalidLoad> {
        within("cpu_utilization", message.cpu_utilization, &ANY)?;
        within("mem_utilization", message.mem_utilization, &SHARE)?;
        within("application_utilization", message.application_utilization, &ANY)?;
        within("rps_fractional", message.rps_fractional, &ANY)?;
        within("eps", message.eps, &ANY)?;
        // Senders of before the fractional form.
        #[allow(clippy::cast_precision_loss, reason = "nobody has so many calls in a second")]
        if message.rps_fractional == 0.0 {
            message.rps_fractional = message.rps as f64;
        }
        message.rps = 0;
        let groups = [
            ("utilization", &message.utilization, &SHARE),
            ("named_metrics", &message.named_metrics, &FINITE),
            ("request_cost", &message.request_cost, &ANY),
        ];
        let mut names = 0;
        for (field, values, range) in groups {
            names += values.len();
            if names > Self::MAX_NAMES {
                return Err(crowded(field));
            }
            for (name, value) in values {
                named(field, name, *value, range)?;
            }
        }
        Ok(Self(message))
    }

    /// The message that goes over the wire.
    pub fn to_message(&self) -> OrcaLoadReport {
        self.0.clone()
    }

    /// How many named values there is room for.
    fn room(&self) -> usize {
        let report = &self.0;
        let names = report.utilization.len() + report.named_metrics.len() + report.request_cost.len();
        Self::MAX_NAMES.saturating_sub(names)
    }
}

fn pairs(values: &BTreeMap<String, f64>) -> impl Iterator<Item = (&str, f64)> {
    values.iter().map(|(name, value)| (name.as_str(), *value))
}

fn within(field: &'static str, value: f64, range: &RangeInclusive<f64>) -> Result<f64, InvalidLoad> {
    // NaN is in no range.
    if range.contains(&value) {
        // There is one zero.
        return Ok(value + 0.0);
    }
    Err(InvalidLoad::new(field, outside(value, range)))
}

fn outside(value: f64, range: &RangeInclusive<f64>) -> String {
    let wanted = if *range == SHARE {
        "from 0 to 1"
    } else if *range == ANY {
        "that is finite and not negative"
    } else {
        "that is finite"
    };
    format!("is {value}: a number {wanted} is wanted")
}

fn named(
    field: &'static str,
    name: &str,
    value: f64,
    range: &RangeInclusive<f64>,
) -> Result<(), InvalidLoad> {
    if name.is_empty() || name.len() > LoadReport::MAX_NAME_BYTES {
        return Err(InvalidLoad::new(
            field,
            format!(
                "has a name of {} bytes: 1 to {} are wanted",
                name.len(),
                LoadReport::MAX_NAME_BYTES
            ),
        ));
    }
    if range.contains(&value) {
        return Ok(());
    }
    Err(InvalidLoad::new(
        format!("{field}[{name}]"),
        outside(value, range),
    ))
}

fn put(
    field: &'static str,
    room: usize,
    values: &mut BTreeMap<String, f64>,
    name: &str,
    value: f64,
) -> Result<(), InvalidLoad> {
    match values.get_mut(name) {
        Some(known) => *known = value,
        None if room == 0 => return Err(crowded(field)),
        None => {
            values.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

fn crowded(field: &'static str) -> InvalidLoad {
    InvalidLoad::new(
        field,
        format!(
            "has too many names: a report has at most {}",
            LoadReport::MAX_NAMES
        ),
    )
}
