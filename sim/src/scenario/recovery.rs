//! Two of five instances fall sick: how soon is the client well again?
//!
//! After half a minute one instance becomes 20 times slower and another one fails what it gets. Nothing is tried again. The
//! client has recovered once the 99th percentile of five seconds, one after the other, stays within 1.5 times of what it was, and
//! errors stay below one percent.

use rpc_plot::{Line, Lines, Scale};
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
    world::{Config, Done, Service},
};

/// When the instances fall sick, and when the run ends, in seconds.
const SICK: f64 = 30.0;
const END: f64 = 75.0;
/// What is plotted as one moment, in seconds.
const MOMENT: f64 = 1.0;
/// Over how many seconds a percentile is judged: of one second's, chance is too large a part.
const WINDOW: f64 = 5.0;
/// How much worse than healthy is well enough.
const ENOUGH: f64 = 1.5;
/// Share of errors that is well enough.
const ERRORS: f64 = 0.01;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Who chose.
    pub balancer: String,
    /// 99th percentile before, in milliseconds.
    pub healthy_p99_ms: f64,
    /// The highest of any second afterwards.
    pub worst_p99_ms: f64,
    /// Over all the time after the client had recovered, or was expected to.
    pub settled_p99_ms: f64,
    /// Errors from the moment on when the instances fell sick.
    pub errors: f64,
    /// Seconds from then on until it had recovered; none if it never had.
    pub recovered_after: Option<f64>,
    /// 99th percentile of each second, from 10 seconds before on.
    pub p99_ms: Vec<(f64, f64)>,
}

/// Runs it for all balancers.
pub fn run(options: Options) -> Findings {
    let rows = rows(&balancers::all(), options);
    let cells = |row: &Row| {
        vec![
            row.balancer.clone(),
            millis(row.healthy_p99_ms),
            millis(row.worst_p99_ms),
            millis(row.settled_p99_ms),
            percent(row.errors),
            row.recovered_after
                .map_or_else(|| "never".to_owned(), |after| format!("{after:.0}")),
        ]
    };
    let lines = rows.iter().map(|row| Line {
        label: row.balancer.clone(),
        points: row.p99_ms.clone(),
    });
    let plot = Lines {
        title: "99th percentile in ms; two of five instances fall sick at 0 s (logarithmic)".to_owned(),
        across: "seconds".to_owned(),
        scale: Scale::Logarithmic,
        lines: lines.collect(),
    };
    Findings {
        scenario: "recovery",
        tables: vec![Table {
            title: "One of five instances becomes 20 times slower, another fails: 99th percentile in ms"
                .to_owned(),
            columns: vec![
                "balancer",
                "healthy",
                "worst second",
                "settled",
                "errors, %",
                "recovered after, s",
            ],
            rows: rows.iter().map(cells).collect(),
        }],
        plots: vec![("recovery.svg".to_owned(), plot.svg())],
        records: rows.iter().map(record).collect(),
    }
}

/// Runs it for some settings.
pub fn rows(settings: &[Setting], options: Options) -> Vec<Row> {
    jobs::each(settings, |setting| row(setting, options))
}

fn row(setting: &Setting, options: Options) -> Row {
    let work = Work::LogNormal {
        mean: 0.01,
        sigma: 0.5,
    };
    let config = Config {
        services: vec![Service {
            servers: vec![ServerConfig::default(); 5],
            work,
            next: Vec::new(),
        }],
        clients: 4,
        // The three that are left can bear it: two thirds of what they can do.
        rate: 0.4 * 5.0 * 4.0 / work.mean(),
        warm: Time::from_secs_f64(10.0),
        end: Time::from_secs_f64(END),
        timeout: 2.0,
        script: vec![
            (Time::from_secs_f64(SICK), 0, Fault::Slow(20.0)),
            (Time::from_secs_f64(SICK), 1, Fault::FailFast(1.0)),
        ],
        seed: options.seed,
        ..Config::default()
    };
    let maker = setting.maker();
    let make = |peers: &[_]| maker.make(peers);
    let done = World::new(config, &make).run().done;
    let healthy = Summary::of(between(&done, 10.0, SICK));
    let is_well = |summary: &Summary| summary.p99_ms <= ENOUGH * healthy.p99_ms && summary.errors <= ERRORS;
    let series = |from: f64, to: f64, width: f64| {
        let moments = (0_u32..).map(move |n| from + f64::from(n) * MOMENT);
        moments
            .take_while(move |at| *at < to)
            .map(move |at| (at, at + width))
    };
    let summary = |(from, to)| Summary::of(between(&done, from, to));
    // From where on it was well all the time.
    let recovered = series(SICK, END - WINDOW, WINDOW)
        .filter(|window| !is_well(&summary(*window)))
        .fold(SICK, |_, (at, _)| at + MOMENT);
    let has_recovered = recovered < END - 2.0 * WINDOW;
    let settled = if has_recovered { recovered } else { SICK + 10.0 };
    let p99: Vec<_> = series(SICK - 10.0, END, MOMENT)
        .map(|window| (window.0 - SICK, summary(window).p99_ms))
        .collect();
    let worst = p99.iter().filter(|(at, _)| *at >= 0.0);
    Row {
        balancer: setting.name.clone(),
        healthy_p99_ms: healthy.p99_ms,
        worst_p99_ms: worst.map(|(_, p99)| *p99).fold(0.0, f64::max),
        settled_p99_ms: Summary::of(between(&done, settled, END)).p99_ms,
        errors: Summary::of(between(&done, SICK, END)).errors,
        recovered_after: has_recovered.then_some(recovered - SICK),
        p99_ms: p99,
    }
}

/// The calls that began between two seconds.
fn between(done: &[Done], from: f64, to: f64) -> impl Iterator<Item = &Done> {
    let (from, to) = (Time::from_secs_f64(from), Time::from_secs_f64(to));
    done.iter().filter(move |done| (from..to).contains(&done.begun))
}
