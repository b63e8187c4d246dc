//! The section on instances that fall sick.

use std::fmt::Write as _;

use rpc_plot::figure;

use crate::{
    record::Record,
    recovery::{DEFAULT, Phase, Recovery, SOON},
};

/// Adds it to the page, if it was measured.
pub(super) fn section(page: &mut String, records: &[Record]) {
    let rows: Vec<(&Record, &Recovery)> = records
        .iter()
        .filter_map(|record| Some((record, record.recovery.as_ref()?)))
        .collect();
    let Some((first, _)) = rows.first() else {
        return;
    };
    let _ = writeln!(
        page,
        "## Recovery\n\n{} calls a second in an open loop to {} servers on loopback, each of which takes 5 ms. Then one of them \
         takes 100 times as long (`slow`), fails what it gets (`failing`), or is gone and refuses connections (`gone`), and after a \
         few seconds is well again. The client has recovered once, for a second, the 99th percentile of each half second is \
         within 1.5 times of what it was, with at most 1 % of errors. \"There\" is which part of the calls that server got. [Balancing](balancing.md) asks \
         the same of larger fleets, on virtual time. Other processes used at most {:.0} % of the machine meanwhile.\n",
        first.rate.unwrap_or_default(),
        first.endpoints.unwrap_or_default(),
        rows.iter().map(|(_, row)| row.others).fold(0.0, f64::max) * 100.0,
    );
    page.push_str(
        "| subject | balancer | fault | p99 ms before | sick | after | p50 ms while sick | failed | there before, % | sick | after \
         | recovered after, s |\n",
    );
    let _ = writeln!(page, "|{}", " --- |".repeat(12));
    for (record, row) in &rows {
        let p99 = |phase: &Phase| figure(phase.p99_us / 1e3);
        let there = |phase: &Phase| format!("{:.1}", phase.share * 100.0);
        let failed: u64 = [&row.healthy, &row.sick, &row.healed]
            .map(|phase| phase.failed)
            .iter()
            .sum();
        let _ = writeln!(
            page,
            "| {}{} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            record.subject,
            if row.is_disturbed() { "*" } else { "" },
            row.balancer,
            row.fault,
            p99(&row.healthy),
            p99(&row.sick),
            p99(&row.healed),
            figure(row.sick.p50_us / 1e3),
            failed,
            there(&row.healthy),
            there(&row.sick),
            there(&row.healed),
            row.recovered(),
        );
    }
    let _ = writeln!(page, "\n{}\n", verdict(&rows));
}

/// Whether a client that says nothing recovers soon from everything.
fn verdict(rows: &[(&Record, &Recovery)]) -> String {
    let ours: Vec<&Recovery> = rows
        .iter()
        .map(|(_, row)| *row)
        .filter(|row| row.balancer == DEFAULT)
        .collect();
    let soon = ours
        .iter()
        .filter(|row| row.recovered_after_s.is_some_and(|after| after <= SOON));
    format!(
        "With `{DEFAULT}`, the default, the client recovered within {SOON:.0} s in {} of {} runs.",
        soon.count(),
        ours.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(balancer: &str, fault: &str, recovered_after_s: Option<f64>) -> Record {
        let phase = |p99_us, share| Phase {
            calls: 1000,
            failed: 2,
            p50_us: 5000.0,
            p99_us,
            share,
        };
        Record {
            subject: "rpc-framed".to_owned(),
            rate: Some(2000),
            endpoints: Some(10),
            recovery: Some(Recovery {
                balancer: balancer.to_owned(),
                fault: fault.to_owned(),
                healthy: phase(6000.0, 0.1),
                sick: phase(500_000.0, 0.003),
                healed: phase(7000.0, 0.05),
                recovered_after_s,
                sick_for_s: 4.0,
                others: 0.01,
                moved: fault == "gone",
            }),
            ..Record::default()
        }
    }

    #[test]
    fn rows_and_the_verdict_on_the_default() {
        let records = [
            record(DEFAULT, "slow", Some(0.3)),
            record(DEFAULT, "gone", None),
            record("round_robin", "slow", None),
        ];
        let mut page = String::new();
        section(&mut page, &records);
        for line in [
            "| rpc-framed | p2c | slow | 6.00 | 500 | 7.00 | 5.00 | 6 | 10.0 | 0.3 | 5.0 | 0.3 |",
            "| rpc-framed* | p2c | gone | 6.00 | 500 | 7.00 | 5.00 | 6 | 10.0 | 0.3 | 5.0 | not in 4 |",
            "| rpc-framed | round_robin | slow | 6.00 | 500 | 7.00 | 5.00 | 6 | 10.0 | 0.3 | 5.0 | not in 4 |",
            "With `p2c`, the default, the client recovered within 10 s in 1 of 2 runs.",
        ] {
            assert!(page.contains(line), "no `{line}` in\n{page}");
        }
    }

    #[test]
    fn nothing_measured_says_nothing() {
        let mut page = String::new();
        section(&mut page, &[Record::default()]);
        assert_eq!(page, "");
    }
}
