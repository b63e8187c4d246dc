//! A thousand services, ten deep: deadlines that are passed on, lanes, and how attempts multiply.
//!
//! Ten tiers of a hundred services each; a service has from 3 to 300 instances (most have few), and calls one of three
//! services of the next tier for each call it gets. Two of ten calls are in a lane; four of ten services have an instance
//! or two in either lane. Every instance is a client of its own.
//!
//! In an outage one service of the deepest tier fails all that it gets: one call in a hundred is lost, whatever is tried.
//! Without a brake each hop above tries again, and the attempts multiply with the depth.

use fastrand::Rng;
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
    world::{Config, RetryConfig, Service},
};

/// How deep calls go.
pub const HOPS: usize = 10;
/// How the rows are called in which one service is out.
pub(super) const OUTAGE_BRAKED: &str = "outage: budget, not below a retry";
pub(super) const OUTAGE_FREE: &str = "outage: three attempts at once";
/// Lanes besides the base.
const LANES: u8 = 2;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What is run: how failures are dealt with, and whether there are many.
    pub setting: String,
    /// Services.
    pub services: usize,
    /// Instances of all of them.
    pub instances: usize,
    /// Latencies and errors of the calls from outside.
    #[serde(flatten)]
    pub summary: Summary,
    /// Attempts for each call from outside, by depth.
    pub attempts: Vec<f64>,
    /// Attempts in a lane, to an instance of that lane.
    pub in_lane: u64,
    /// Attempts in a lane that went to the base, since the service is not in the lane.
    pub to_base: u64,
    /// Attempts that went where they must not.
    pub strayed: u64,
    /// Calls that were served although nobody waited for them any more.
    pub late: u64,
}

/// Runs it for each way to deal with failures, healthy and in an outage.
pub fn run(options: Options) -> Findings {
    let rows = rows(options);
    let attempts = |row: &Row, depth: usize| row.attempts.get(depth).copied().unwrap_or_default();
    let cells = |row: &Row| {
        vec![
            row.setting.clone(),
            millis(row.summary.p50_ms),
            millis(row.summary.p99_ms),
            percent(row.summary.errors),
            format!("{:.2}", attempts(row, 0)),
            format!("{:.2}", attempts(row, HOPS / 2)),
            format!("{:.2}", attempts(row, HOPS - 1)),
            row.in_lane.to_string(),
            row.to_base.to_string(),
            row.strayed.to_string(),
        ]
    };
    let (services, instances) = rows.first().map_or((0, 0), |row| (row.services, row.instances));
    Findings {
        scenario: "hops",
        tables: vec![Table {
            title: format!(
                "{services} services, {instances} instances, {HOPS} hops: latency in ms, and attempts for each call \
                 from outside"
            ),
            columns: vec![
                "retries",
                "p50",
                "p99",
                "errors, %",
                "hop 1",
                "hop 6",
                "hop 10",
                "in lane",
                "to base",
                "strayed",
            ],
            rows: rows.iter().map(cells).collect(),
        }],
        records: rows.iter().map(record).collect(),
        plots: Vec::new(),
    }
}

/// The same as data.
pub fn rows(options: Options) -> Vec<Row> {
    let unbraked = RetryConfig {
        pause: 0.001,
        ratio: f64::INFINITY,
        stops_below: false,
        ..RetryConfig::BUDGETED
    };
    let cells = [
        ("none", RetryConfig::OFF, false),
        ("budget, not below a retry", RetryConfig::BUDGETED, false),
        ("three attempts at once", unbraked, false),
        ("outage: none", RetryConfig::OFF, true),
        (OUTAGE_BRAKED, RetryConfig::BUDGETED, true),
        (OUTAGE_FREE, unbraked, true),
    ];
    let setting = balancers::default();
    jobs::each(&cells, |(name, retry, outage)| {
        row((*name).to_owned(), &setting, *retry, *outage, options)
    })
}

fn row(name: String, setting: &Setting, retry: RetryConfig, outage: bool, options: Options) -> Row {
    let config = Config {
        retry,
        ..config(outage, options)
    };
    let services = config.services.len();
    let instances = config.services.iter().map(Service::len).sum();
    let maker = setting.maker();
    let make = |peers: &[_]| maker.make(peers);
    let ran = World::new(config, &make).run();
    let outside = ran.counts.calls.first().copied().unwrap_or_default().max(1) as f64;
    Row {
        setting: name,
        services,
        instances,
        summary: Summary::of(&ran.done),
        attempts: ran
            .counts
            .attempts
            .iter()
            .map(|&count| count as f64 / outside)
            .collect(),
        in_lane: ran.counts.in_lane,
        to_base: ran.counts.to_base,
        strayed: ran.counts.strayed,
        late: ran.counts.late,
    }
}

fn config(outage: bool, options: Options) -> Config {
    let (width, rate, seconds) = if options.quick {
        (10, 50.0, 6.0)
    } else {
        (100, 600.0, 24.0)
    };
    let mut rng = Rng::with_seed(options.seed);
    let mut services = Vec::new();
    for tier in 0..HOPS {
        for _ in 0..width {
            let next = if tier + 1 == HOPS {
                Vec::new()
            } else {
                (0..3).map(|_| (tier + 1) * width + rng.usize(..width)).collect()
            };
            services.push(Service {
                servers: instances(&mut rng),
                work: Work::LogNormal {
                    mean: 0.004,
                    sigma: 1.0,
                },
                next,
            });
        }
    }
    // The first service of the last tier.
    let first: usize = services[..(HOPS - 1) * width].iter().map(Service::len).sum();
    let count = if outage {
        services[(HOPS - 1) * width].len()
    } else {
        0
    };
    let script = (first..first + count)
        .map(|server| (Time::START, server, Fault::FailFast(1.0)))
        .collect();
    Config {
        services,
        entries: width,
        clients: 20,
        rate,
        end: Time::from_secs_f64(seconds),
        warm: Time::from_secs_f64(seconds / 3.0),
        timeout: 1.0,
        failing: 0.000_5,
        script,
        lanes: vec![0.1; usize::from(LANES)],
        seed: options.seed,
        ..Config::default()
    }
}

/// From 3 to 300, by a power law; and, in four of ten services, one or two in either lane.
fn instances(rng: &mut Rng) -> Vec<ServerConfig> {
    let sizes = Work::Pareto {
        least: 3.0,
        most: 300.0,
        shape: 1.1,
    };
    #[expect(clippy::cast_sign_loss, reason = "between 3 and 300")]
    let base = sizes.draw(rng) as usize;
    let mut servers = vec![ServerConfig::default(); base];
    for lane in 0..LANES {
        if rng.f64() < 0.4 {
            let lane = Some(lane);
            servers.extend((0..rng.usize(1..=2)).map(|_| ServerConfig {
                lane,
                ..ServerConfig::default()
            }));
        }
    }
    servers
}
