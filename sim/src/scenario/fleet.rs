//! A hundred clients and a hundred servers on shared machines.
//!
//! # Where the numbers come from
//! `paper` is shaped after the testbed of "Load is not what you should balance: Introducing Prequal" (NSDI 2024): a hundred
//! replicas with a part of a machine each, on machines whose other tenants take what is left and sometimes more; normally
//! distributed work as wide as its mean; a timeout of five seconds; a load of so many percent of what was allocated. The
//! paper does not publish the load of the other tenants. Ours is drawn so that about a third of the machines are crowded,
//! and a third of the machines are slow and a third fast: under a load of 70 % a fleet that is used evenly is overloaded in
//! some places then, as in the paper.
//!
//! `fleet` adds what goes wrong in fleets: log-normal work with a deviation of 1, one instance that is 20 times slower, and
//! one that fails at once.

use fastrand::Rng;
use rpc_plot::{Bar, Bars, Group, Scale};
use serde::Serialize;

use super::{Findings, Options, balancers, record};
use crate::{
    Time, World,
    draw::Work,
    jobs,
    ours::Setting,
    quantiles::Summary,
    server::{Antagonist, Fault, ServerConfig},
    table::{Table, millis, percent},
    world::{Config, Service},
};

/// What an instance was promised, and what its machine has.
const ALLOCATION: f64 = 2.0;
const MACHINE: f64 = 10.0;
/// Part of the promise that it gets on a crowded machine.
const SQUEEZED: f64 = 0.8;
/// Slow, usual and fast machines.
const SPEEDS: [f64; 3] = [0.6, 1.0, 1.4];
const LOADS: [f64; 4] = [0.5, 0.75, 0.9, 1.05];
const SLOW: usize = 0;
const BLACK_HOLE: usize = 1;

/// Which fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// That of the paper.
    Paper,
    /// That with sick instances.
    Sick,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Who chose.
    pub balancer: String,
    /// Offered load, as a part of what was allocated.
    pub load: f64,
    /// Latencies and errors.
    #[serde(flatten)]
    pub summary: Summary,
    /// Share of the requests that the instance got which fails at once.
    pub black_hole: f64,
    /// Share of the requests that the slow instance got.
    pub slow: f64,
}

/// The testbed of the paper.
pub fn paper(options: Options) -> Findings {
    let settings = balancers::all();
    let rows = rows(Kind::Paper, &settings, &LOADS, options);
    findings(
        "paper",
        "Latency in ms, as in the testbed of the Prequal paper",
        &rows,
    )
}

/// The fleet with sick instances.
pub fn fleet(options: Options) -> Findings {
    let settings = balancers::all();
    let rows = rows(Kind::Sick, &settings, &LOADS, options);
    findings(
        "fleet",
        "Latency in ms; heavy-tailed work, one instance 20 times slower, one that fails at once",
        &rows,
    )
}

/// Runs each balancer under each load.
pub fn rows(kind: Kind, settings: &[Setting], loads: &[f64], options: Options) -> Vec<Row> {
    let cells: Vec<_> = loads
        .iter()
        .flat_map(|load| settings.iter().map(move |setting| (*load, setting)))
        .collect();
    jobs::each(&cells, |(load, setting)| row(kind, setting, *load, options))
}

fn row(kind: Kind, setting: &Setting, load: f64, options: Options) -> Row {
    let maker = setting.maker();
    let make = |peers: &[_]| maker.make(peers);
    let ran = World::new(config(kind, load, options), &make).run();
    let share = |server| {
        if kind == Kind::Sick {
            ran.counts.share(server)
        } else {
            0.0
        }
    };
    Row {
        balancer: setting.name.clone(),
        load,
        summary: Summary::of(&ran.done),
        black_hole: share(BLACK_HOLE),
        slow: share(SLOW),
    }
}

fn config(kind: Kind, load: f64, options: Options) -> Config {
    // A smaller fleet would be another one: what a client knows depends on how often it calls each server.
    let (clients, servers) = (100, 100);
    let (seconds, warm) = if options.quick { (30.0, 12.0) } else { (60.0, 20.0) };
    let work = match kind {
        Kind::Paper => Work::Normal { mean: 0.075 },
        Kind::Sick => Work::LogNormal {
            mean: 0.08,
            sigma: 1.0,
        },
    };
    // Which machine is how fast and how crowded is the same for all balancers and loads.
    let mut rng = Rng::with_seed(options.seed);
    let mut allocated = 0.0;
    let mut fleet = Vec::new();
    let mut antagonists = Vec::new();
    for server in 0..servers {
        let speed = SPEEDS[server % SPEEDS.len()];
        allocated += ALLOCATION * speed;
        fleet.push(ServerConfig {
            machine_cores: MACHINE,
            allocation: ALLOCATION,
            squeezed: SQUEEZED,
            speed,
            ..ServerConfig::default()
        });
        antagonists.push(Antagonist {
            usual: 0.4 + 0.6 * rng.f64(),
            strays: 0.1,
            holds: 3.0,
        });
    }
    let script = match kind {
        Kind::Paper => Vec::new(),
        Kind::Sick => vec![
            (Time::START, SLOW, Fault::Slow(20.0)),
            (Time::START, BLACK_HOLE, Fault::FailFast(1.0)),
        ],
    };
    Config {
        services: vec![Service {
            servers: fleet,
            work,
            next: Vec::new(),
        }],
        clients,
        rate: load * allocated / work.mean(),
        end: Time::from_secs_f64(seconds),
        warm: Time::from_secs_f64(warm),
        antagonists,
        script,
        seed: options.seed,
        ..Config::default()
    }
}

fn findings(scenario: &'static str, title: &str, rows: &[Row]) -> Findings {
    let sick = scenario == "fleet";
    let mut columns = vec!["balancer", "load", "p50", "p90", "p99", "p99.9", "errors, %"];
    if sick {
        columns.extend(["black hole, %", "slow, %"]);
    }
    let cells = |row: &Row| {
        let mut cells = vec![
            row.balancer.clone(),
            format!("{:.0} %", row.load * 100.0),
            millis(row.summary.p50_ms),
            millis(row.summary.p90_ms),
            millis(row.summary.p99_ms),
            millis(row.summary.p999_ms),
            percent(row.summary.errors),
        ];
        if sick {
            cells.extend([percent(row.black_hole), percent(row.slow)]);
        }
        cells
    };
    Findings {
        scenario,
        tables: vec![Table {
            title: title.to_owned(),
            columns,
            rows: rows.iter().map(cells).collect(),
        }],
        records: rows.iter().map(record).collect(),
        plots: vec![(format!("{scenario}.svg"), plot(title, rows))],
    }
}

fn plot(title: &str, rows: &[Row]) -> String {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let label = format!("load {:.0} %", row.load * 100.0);
        if groups.last().is_none_or(|group| group.label != label) {
            groups.push(Group {
                label,
                bars: Vec::new(),
            });
        }
        if let Some(group) = groups.last_mut() {
            group.bars.push(Bar {
                label: row.balancer.clone(),
                value: row.summary.p99_ms,
                stands_out: row.balancer == balancers::DEFAULT,
            });
        }
    }
    Bars {
        title: format!("{title}: 99th percentile (logarithmic)"),
        scale: Scale::Logarithmic,
        groups,
    }
    .svg()
}
