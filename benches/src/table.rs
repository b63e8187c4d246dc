//! The records as a table, with ratios to the peer that everybody knows.

use crate::{
    record::{Calls, Record},
    recovery::Recovery,
};

/// What everything is a ratio to.
pub(crate) const BASE: &str = "tonic";

/// Prints one line a record. A ratio with `*` is to a row all of whose rounds were disturbed.
pub(crate) fn print(records: &[Record]) {
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
    for record in records {
        if let Some(calls) = &record.calls {
            print_calls(record, calls, records);
        }
        if record.heap_client_bytes.is_some() || record.heap_server_bytes.is_some() {
            print_heap(record);
        }
        if let Some(recovery) = &record.recovery {
            print_recovery(record, recovery);
        }
    }
}

fn print_calls(record: &Record, calls: &Calls, records: &[Record]) {
    let base = record.peer(records, BASE).and_then(|base| base.calls.as_ref());
    let shown = |ratio: &dyn Fn(&Calls) -> f64| {
        base.map_or_else(
            || "-".to_owned(),
            |base| format!("{:.2}{}", ratio(base), base.mark()),
        )
    };
    let ratio = |of: fn(&Calls) -> f64| shown(&|base| of(calls) / of(base));
    let percentile = |us: Option<f64>| us.map_or_else(|| "-".to_owned(), |us| format!("{us:.2}"));
    println!(
        "{:<38} {:<10} {:>9.0} {:>6} {:>6.1}% {:>9} {:>9} {:>8.2} {:>6} {:>7.1} {:>6}{}",
        record.cell(),
        record.subject,
        calls.calls_per_second,
        shown(&|base| calls.speed_over(BASE, base)),
        calls.calls_per_second_spread * 100.0,
        percentile(calls.p50_us),
        percentile(calls.p99_us),
        calls.cpu_us_per_call,
        ratio(|c| c.cpu_us_per_call),
        calls.allocs_per_call,
        ratio(|c| c.allocs_per_call),
        match (calls.rounds_disturbed, calls.rounds) {
            (0, _) => String::new(),
            (disturbed, rounds) if disturbed == rounds => format!(
                "  (DISTURBED: others used {:.0} %, or the CPUs were moved)",
                calls.others * 100.0
            ),
            (disturbed, rounds) =>
                format!("  ({disturbed} of {rounds} rounds dropped: others were busy, or the CPUs moved)"),
        },
    );
}

fn print_heap(record: &Record) {
    let kib = |bytes: Option<f64>| {
        bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1} KiB", bytes / 1024.0))
    };
    println!(
        "{:<38} {:<10} heap each: client {}, server {}",
        record.cell(),
        record.subject,
        kib(record.heap_client_bytes),
        kib(record.heap_server_bytes),
    );
}

fn print_recovery(record: &Record, recovery: &Recovery) {
    let Recovery {
        healthy,
        sick,
        healed,
        others,
        moved,
        ..
    } = recovery;
    println!(
        "{:<38} {:<10} p99 {:.1} / {:.1} / {:.1} ms, there {:.1} / {:.1} / {:.1} %, failed {}, recovered after {} s{}",
        record.cell(),
        record.subject,
        healthy.p99_us / 1e3,
        sick.p99_us / 1e3,
        healed.p99_us / 1e3,
        healthy.share * 100.0,
        sick.share * 100.0,
        healed.share * 100.0,
        healthy.failed + sick.failed + healed.failed,
        recovery.recovered(),
        if recovery.is_disturbed() {
            let moved = if *moved { ", and the CPUs were moved" } else { "" };
            format!("  (DISTURBED: others used {:.0} %{moved})", others * 100.0)
        } else {
            String::new()
        },
    );
}
