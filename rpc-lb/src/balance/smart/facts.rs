//! What is known of an endpoint, and how good that is beside its peers.

use tokio::time::Instant;

use super::{PartKind, Score, SmartConfig};
use crate::{Endpoint, balance::peers::quantile, endpoint::Recent};

/// What is known of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    load: Option<f32>,
    free_cores: Option<f32>,
    memory: Option<f32>,
    recent: Recent,
    in_flight: f32,
    state: f32,
}

impl Facts {
    pub(super) fn of(endpoint: &Endpoint, config: &SmartConfig, now: Instant) -> Self {
        let stats = endpoint.stats();
        let reported = stats.reported(now);
        let reported = reported.filter(|(_, age)| *age <= config.report_expiry());
        let told = |value: f32| (value > 0.0).then_some(value);
        let reported = reported.map(|(reported, _)| reported).unwrap_or_default();
        let load = told(reported.application).or(told(reported.cpu));
        let idle = 1.0 - load.unwrap_or(0.0).min(1.0);
        let instance = endpoint.instance();
        #[allow(clippy::cast_precision_loss, reason = "far fewer than a float can tell apart")]
        let (in_flight, full) = (stats.in_flight() as f32, instance.weight as f32);
        Self {
            load,
            free_cores: load.and(told(reported.cores)).map(|cores| cores * idle),
            memory: told(reported.memory),
            recent: stats.recent(now),
            in_flight: told(reported.in_flight).unwrap_or(in_flight),
            state: if full > 0.0 { stats.weight() / full } else { 1.0 },
        }
    }

    fn latency(&self, of: fn(&Recent) -> f32) -> Option<f32> {
        self.recent.has_latency().then(|| of(&self.recent))
    }

    fn quality(&self, kind: PartKind, best: &Best) -> Option<f32> {
        // Slower than the best: in inverse proportion.
        let beside = |mine: Option<f32>, best: Option<f32>| Some(best? / mine?.max(1.0));
        match kind {
            PartKind::Cpu => self.load.map(|load| 1.0 - load),
            PartKind::Cores => Some(self.free_cores? / best.free_cores?.max(f32::MIN_POSITIVE)),
            PartKind::Memory => self.memory.map(|memory| (1.0 - memory) / 0.2),
            PartKind::Mean => beside(self.latency(|recent| recent.mean), best.mean),
            PartKind::Tp99 => beside(self.latency(|recent| recent.p99), best.p99),
            PartKind::Tp999 => beside(self.latency(|recent| recent.p999), best.p999),
            PartKind::Errors => (self.recent.calls > 0).then(|| 1.0 - 5.0 * self.recent.error_rate()),
            PartKind::InFlight => Some((best.in_flight? + 1.0) / (self.in_flight + 1.0)),
            PartKind::State => Some(self.state),
        }
    }
}

/// What the best tenth of the endpoints is at least as good as: one alone may be so by chance.
#[derive(Debug)]
struct Best {
    free_cores: Option<f32>,
    mean: Option<f32>,
    p99: Option<f32>,
    p999: Option<f32>,
    in_flight: Option<f32>,
}

impl Best {
    fn of(all: &[Facts]) -> Self {
        let least = |of: &dyn Fn(&Facts) -> Option<f32>| quantile(all.iter().filter_map(of).collect(), 1, 10);
        Self {
            free_cores: quantile(all.iter().filter_map(|facts| facts.free_cores).collect(), 9, 10),
            mean: least(&|facts| facts.latency(|recent| recent.mean)),
            p99: least(&|facts| facts.latency(|recent| recent.p99)),
            p999: least(&|facts| facts.latency(|recent| recent.p999)),
            in_flight: least(&|facts| Some(facts.in_flight)),
        }
    }
}

/// The score of each.
pub(super) fn scores<'f>(all: &'f [Facts], config: &'f SmartConfig) -> impl Iterator<Item = Score> + 'f {
    let best = Best::of(all);
    all.iter().map(move |facts| {
        let parts = PartKind::ALL.map(|kind| (kind, facts.quality(kind, &best), config.points(kind)));
        Score::new(parts.into_iter())
    })
}
