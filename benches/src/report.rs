//! Medians, ratios and spreads, as a table and as JSON.

use std::{fs, io, path::Path};

use serde::Serialize;

use crate::{cells::Row, measure::Sample};

/// What everything is a ratio to.
const BASE: &str = "tonic";

/// Prints one line a row, the ratios to the same cell's tonic.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<38} {:<10} {:>9} {:>6} {:>7} {:>9} {:>9} {:>8} {:>6} {:>7} {:>6}",
        "cell",
        "subject",
        "calls/s",
        "ratio",
        "spread",
        "p50 us",
        "p99 us",
        "cpu us",
        "ratio",
        "allocs",
        "ratio"
    );
    for row in rows {
        let base = rows
            .iter()
            .find(|other| other.subject == BASE && other.cell.name() == row.cell.name());
        let ratio = |of: fn(&Sample) -> f64| {
            base.map_or_else(
                || "-".to_owned(),
                |base| format!("{:.2}", row.median(of) / base.median(of)),
            )
        };
        let spoilt = row.samples.iter().filter(|sample| sample.others > 0.05).count();
        println!(
            "{:<38} {:<10} {:>9.0} {:>6} {:>6.1}% {:>9.2} {:>9.2} {:>8.2} {:>6} {:>7.1} {:>6}{}",
            row.cell.name(),
            row.subject,
            row.median(|s| s.calls_per_second),
            ratio(|s| s.calls_per_second),
            row.spread(|s| s.calls_per_second) * 100.0,
            row.median(|s| s.p50_us),
            row.median(|s| s.p99_us),
            row.median(|s| s.cpu_us_per_call),
            ratio(|s| s.cpu_us_per_call),
            row.median(|s| s.allocs_per_call),
            ratio(|s| s.allocs_per_call),
            if spoilt > 0 {
                format!("  ({spoilt} rounds disturbed by other processes)")
            } else {
                String::new()
            },
        );
    }
}

/// Writes the rows as a JSON array.
pub(crate) fn write_json(path: &Path, rows: &[Row]) -> io::Result<()> {
    let rows: Vec<JsonRow> = rows.iter().map(JsonRow::of).collect();
    fs::write(path, serde_json::to_vec_pretty(&rows).map_err(io::Error::other)?)
}

#[derive(Serialize)]
struct JsonRow {
    shape: &'static str,
    scenario: &'static str,
    payload: usize,
    concurrency: usize,
    subject: &'static str,
    calls_per_second: f64,
    calls_per_second_spread: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_call: f64,
    allocs_per_call: f64,
    rounds: usize,
    others: f64,
}

impl JsonRow {
    fn of(row: &Row) -> Self {
        Self {
            shape: row.cell.shape.name(),
            scenario: row.cell.scenario.name(),
            payload: row.cell.payload,
            concurrency: row.cell.concurrency,
            subject: row.subject,
            calls_per_second: row.median(|s| s.calls_per_second),
            calls_per_second_spread: row.spread(|s| s.calls_per_second),
            p50_us: row.median(|s| s.p50_us),
            p99_us: row.median(|s| s.p99_us),
            cpu_us_per_call: row.median(|s| s.cpu_us_per_call),
            allocs_per_call: row.median(|s| s.allocs_per_call),
            rounds: row.samples.len(),
            others: row.median(|s| s.others),
        }
    }
}

impl Row {
    fn median(&self, of: fn(&Sample) -> f64) -> f64 {
        let values = self.sorted(of);
        let middle = values.len() / 2;
        match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        }
    }

    /// Largest minus smallest, as a part of the median.
    fn spread(&self, of: fn(&Sample) -> f64) -> f64 {
        let values = self.sorted(of);
        match (values.first(), values.last()) {
            (Some(least), Some(most)) => (most - least) / self.median(of),
            _ => f64::NAN,
        }
    }

    fn sorted(&self, of: fn(&Sample) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    }
}
