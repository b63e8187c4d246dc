//! An instance that fails at once looks idle: does it attract calls?
//!
//! Ten instances, one of which fails every call without doing anything. Nothing is tried again, so that each call shows where
//! it was sent. Once with the default settings, and once without ejection: what the balancer alone makes of it.

use rpc_lb::{EndpointsConfig, HealthConfig};
use serde::Serialize;

use super::{Findings, Options, balancers, record};
use crate::{
    Time, World,
    draw::Work,
    jobs,
    ours::Setting,
    quantiles::Summary,
    server::{Fault, ServerConfig},
    table::{Table, millis, percent},
    world::{Config, Service},
};

/// Instances, of which the first is the black hole.
pub const INSTANCES: usize = 10;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Who chose.
    pub balancer: String,
    /// Share of the calls that went to the black hole in the first ten seconds.
    pub at_first: f64,
    /// The same from then on.
    pub later: f64,
    /// The same if it is never ejected.
    pub without_ejection: f64,
    /// Latencies and errors from then on.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Runs it for all balancers.
pub fn run(options: Options) -> Findings {
    let rows = rows(&balancers::all(), options);
    let cells = |row: &Row| {
        vec![
            row.balancer.clone(),
            percent(row.at_first),
            percent(row.later),
            percent(row.without_ejection),
            millis(row.summary.p99_ms),
            percent(row.summary.errors),
        ]
    };
    Findings {
        scenario: "black-hole",
        tables: vec![Table {
            title:
                "Share of the calls at the one of ten instances that fails at once (its fair share is 10 %)"
                    .to_owned(),
            columns: vec![
                "balancer",
                "first 10 s, %",
                "then, %",
                "without ejection, %",
                "p99, ms",
                "errors, %",
            ],
            rows: rows.iter().map(cells).collect(),
        }],
        records: rows.iter().map(record).collect(),
        plots: Vec::new(),
    }
}

/// Runs it for some settings.
pub fn rows(settings: &[Setting], options: Options) -> Vec<Row> {
    jobs::each(settings, |setting| {
        let (first, _) = measure(setting, 0.0, 10.0, options);
        let (later, summary) = measure(setting, 10.0, 40.0, options);
        let alone = setting.clone().changed(without_ejection);
        let (without, _) = measure(&alone, 0.0, 40.0, options);
        Row {
            balancer: setting.name.clone(),
            at_first: first,
            later,
            without_ejection: without,
            summary,
        }
    })
}

fn without_ejection(config: &mut EndpointsConfig) {
    config.health = HealthConfig::off();
}

/// The black hole's share between two seconds.
fn measure(setting: &Setting, from: f64, to: f64, options: Options) -> (f64, Summary) {
    let work = Work::LogNormal {
        mean: 0.01,
        sigma: 1.0,
    };
    let one = ServerConfig {
        machine_cores: 1.0,
        allocation: 1.0,
        ..ServerConfig::default()
    };
    let config = Config {
        services: vec![Service {
            servers: vec![one; INSTANCES],
            work,
            next: Vec::new(),
        }],
        clients: 5,
        // Half of what the nine others can do.
        rate: 0.5 * 9.0 / work.mean(),
        warm: Time::from_secs_f64(from),
        end: Time::from_secs_f64(to),
        timeout: 1.0,
        script: vec![(Time::START, 0, Fault::FailFast(1.0))],
        seed: options.seed,
        ..Config::default()
    };
    let maker = setting.maker();
    let make = |peers: &[_]| maker.make(peers);
    let ran = World::new(config, &make).run();
    (ran.counts.share(0), Summary::of(&ran.done))
}
