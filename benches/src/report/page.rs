//! The text of the page.

use std::fmt::Write as _;

use rpc_plot::figure;

use super::rows::{percentile, table, with_calls};
use crate::{
    cell::PLAIN,
    floors, hop,
    record::{Calls, Record},
    table::BASE,
};

const HEAD: &str = "\
# Performance

What a call costs, beside what others cost in the same run. Written by `cargo xtask bench --report`; do not edit.
";

const AGAIN: &str = "\
## Measuring again

```text
cargo xtask bench --quick --json target/bench.json    # some five minutes, once built
cargo xtask bench --json target/bench.json            # everything; most of an hour
cargo xtask bench --floors target/bench.json          # what must hold, line by line
cargo xtask bench --report target/bench.json          # this page
cargo xtask bench --check                             # instructions of the hot paths against benches/instructions.tsv
```

`--only 'one-cpu unary 0 B x64'` measures one cell, `--subject` one subject, `--build plain` one of the two programs. Compare
ratios, not calls per second: the same program is up to 12 % off after it was built anew, and another machine is another
world. A machine that does something else as well shows in the last columns of what is printed: rounds in which others used
more than 5 % of it are measured again, and dropped if that does not help. So are rounds in which a cache line took another time
from one CPU to the other and back than in the rest of their cell: hosts move virtual CPUs about, and on two that share a core
`shared` and `apart` are another world again.
";

const MEANING: &str = "\
## What the rows mean

Unary calls return what they were sent; a stream is one message there and 64 back, and a \"call\" of it is one message; its
percentiles are those of whole streams. Everything goes over **one connection**, but for `rpc-grpc` on `shared`: from 5,000
calls a second on, with several at a time, it spreads them over up to four, as its clients do by default on a runtime of several
workers. In a closed loop so many tasks call again as soon as they are answered. Medians over interleaved rounds; a multiple of
another subject's calls per second is the median of those of each round, since a machine that drifts is as slow for both. CPU is
user and system time of both sides together. Calls in process are timed 64 at a time, so there are no percentiles of them. `*`:
others were busy, or the CPUs were at another distance, in all rounds; such figures say little.

| shape | threads |
| --- | --- |
| `one-cpu` | a one-worker runtime a side, all pinned to one CPU: calls per second are 1 / CPU cost |
| `shared` | one runtime of two workers for both sides, not pinned: what `#[tokio::main]` gives |
| `apart` | a one-worker runtime a side, each on its own CPU |

| subject | what it is |
| --- | --- |
| `rpc-framed` | ours over its own protocol, everything on that is on by default |
| `rpc-grpc` | ours over gRPC, the same |
| `rpc-grpc-one` | the same, over one connection also where it would be several |
| `rpc-local` | ours in process, the same |
| `tonic` | its `Channel` and `Router`, all defaults |
| `tarpc` | over TCP with bincode, each request in a task |
| `volo-grpc` | with its defaults, compression left out |
| `volo-thrift` | multiplexed, which is off by default; else with its defaults: binary, framed, with its header |
| `raw` | frames of a length and an id, many tasks on one connection; no deadlines, metadata or errors: the limit |
| `blocking` | ping-pong on two blocking sockets: the floor of a lone call |

`build` is the program: tarpc switches the feature `log` of tracing on for everybody it is built with, so it has a program of
its own (`with-tarpc`), and ratios are taken inside one.
";

/// The whole page.
pub(super) fn page(records: &[Record], machine: &str) -> String {
    let hops = hops(records);
    let mut page = format!("{HEAD}\nMeasured on {machine}{hops}\n\n{AGAIN}\n{MEANING}\n");
    closed(&mut page, records);
    open(&mut page, records);
    layers(&mut page, records);
    heap(&mut page, records);
    picks(&mut page, records);
    super::recovery::section(&mut page, records);
    must_hold(&mut page, records);
    page
}

/// How far apart the CPUs were, in a sentence.
fn hops(records: &[Record]) -> String {
    let mut hops: Vec<f64> = records
        .iter()
        .filter_map(|record| record.calls.as_ref()?.hop_ns)
        .collect();
    hops.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (hops.first(), hops.last()) else {
        return String::new();
    };
    let far = hops.iter().filter(|ns| hop::differ(**ns, *least)).count();
    let text = format!(" A cache line took {least:.0} to {most:.0} ns from one CPU to the other and back");
    match far {
        0 => format!("{text}."),
        far => format!("{text}, over twice the least in {far} of {} rows.", hops.len()),
    }
}

fn closed(page: &mut String, records: &[Record]) {
    page.push_str("## Closed loop\n\n");
    for (file, text) in [
        ("calls.svg", "Calls per second, as a multiple of tonic's"),
        ("cpu.svg", "CPU a call"),
    ] {
        let _ = writeln!(page, "![{text}](performance/{file})\n");
    }
    for build in builds(records) {
        let rows: Vec<&Record> = records
            .iter()
            .filter(|record| {
                record.build == build
                    && matches!(&*record.scenario, "unary" | "unary-yield" | "server-streaming")
            })
            .collect();
        let _ = writeln!(page, "### Build `{build}`\n");
        let ratio = |calls: &Calls, base: Option<&Calls>| {
            base.map_or_else(
                || figure(calls.calls_per_second),
                |base| figure(calls.speed_over(BASE, base)),
            )
        };
        table(
            page,
            "Calls per second, as a multiple of tonic's:",
            &rows,
            true,
            ratio,
        );
        table(
            page,
            "Microseconds of CPU a call, both sides:",
            &rows,
            false,
            |calls, _| figure(calls.cpu_us_per_call),
        );
        table(
            page,
            "99th percentile, microseconds, of a call or a whole stream:",
            &rows,
            false,
            |calls, _| percentile(calls.p99_us),
        );
        table(
            page,
            "Allocations a call, both sides:",
            &rows,
            false,
            |calls, _| format!("{:.0}", calls.allocs_per_call),
        );
    }
}

fn open(page: &mut String, records: &[Record]) {
    let rows: Vec<&Record> = records
        .iter()
        .filter(|record| record.scenario == "open-loop")
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Open loop\n\nCalls are due at a fixed rate, and latency counts from when a call was due: a stall counts for every \
         call that it delays. Some of it is the lateness of the thread that starts the calls, the same for everybody. CPU is that of \
         both sides, without that thread.\n\n",
    );
    page.push_str("| build | cell | subject | p50 us | p99 us | p99.9 us | CPU us a call |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for (record, calls) in with_calls(&rows) {
        let _ = writeln!(
            page,
            "| {} | {} | {}{} | {} | {} | {} | {} |",
            record.build,
            record.cell(),
            record.subject,
            calls.mark(),
            percentile(calls.p50_us),
            percentile(calls.p99_us),
            percentile(calls.p999_us),
            figure(calls.cpu_us_per_call)
        );
    }
    page.push('\n');
}

fn layers(page: &mut String, records: &[Record]) {
    let rows: Vec<&Record> = records
        .iter()
        .filter(|record| record.scenario.starts_with("layers") || record.scenario == "frame")
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Layers\n\nSix layers on the client's side that look and count: `hooks` are stages composed statically, `boxed` the \
         same with a box each, `tower` a user's tower layers as `Client::builder().layer(...)` installs them. `frame` is the \
         whole stack above a transport: six hooks on the client and six on the server.\n\n",
    );
    page.push_str("| cell | subject | CPU us a call | allocations |\n| --- | --- | --- | --- |\n");
    for (record, calls) in with_calls(&rows) {
        let _ = writeln!(
            page,
            "| {} | {}{} | {} | {:.0} |",
            record.cell(),
            record.subject,
            calls.mark(),
            figure(calls.cpu_us_per_call),
            calls.allocs_per_call
        );
    }
    page.push('\n');
}

fn heap(page: &mut String, records: &[Record]) {
    let rows: Vec<&Record> = records
        .iter()
        .filter(|record| record.heap_client_bytes.is_some())
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Connections and channels\n\nIdle connections, each from a channel of its own that has made one call, with 16 calls \
         at a time on another one beside them; client and server are two processes. And channels that have not connected. \
         Bytes on the heap for each of them, the allocator's own overhead and the kernel's buffers not counted.\n\n",
    );
    page.push_str("![Heap of an idle connection](performance/connections.svg)\n\n");
    page.push_str("| build | cell | subject | client KiB | server KiB | busy one, p99 us |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let kib = |bytes: Option<f64>| bytes.map_or_else(|| "-".to_owned(), |bytes| figure(bytes / 1024.0));
    for record in rows {
        let p99 = |calls: &Calls| format!("{}{}", percentile(calls.p99_us), calls.mark());
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            record.build,
            record.cell(),
            record.subject,
            kib(record.heap_client_bytes),
            kib(record.heap_server_bytes),
            record.calls.as_ref().map_or_else(|| "-".to_owned(), p99)
        );
    }
    page.push('\n');
}

fn picks(page: &mut String, records: &[Record]) {
    let rows: Vec<&Record> = records
        .iter()
        .filter(|record| record.scenario == "pick")
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Picks\n\nWhat it costs to choose an endpoint, among few and among many: a look at the clock, the choice, and a \
         reference to what was chosen. Endpoints have weights of two to one, histories, and calls in flight.\n\n",
    );
    let nanos = |calls: &Calls, _: Option<&Calls>| figure(calls.cpu_us_per_call * 1e3);
    table(page, "Nanoseconds of CPU a pick:", &rows, false, nanos);
}

fn must_hold(page: &mut String, records: &[Record]) {
    page.push_str("## What must hold\n\n| what | figure | bound | holds |\n| --- | --- | --- | --- |\n");
    for floor in floors::all(records) {
        let _ = writeln!(page, "{}", floor.markdown());
    }
}

fn builds(records: &[Record]) -> Vec<&str> {
    let mut builds: Vec<&str> = Vec::new();
    for record in records {
        if !builds.contains(&&*record.build) {
            builds.push(&record.build);
        }
    }
    // The one that most figures are from comes first.
    builds.sort_by_key(|build| *build != PLAIN);
    builds
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"[
        {"build":"plain","shape":"one-cpu","scenario":"unary","payload":0,"concurrency":64,"subject":"rpc-grpc",
         "calls_per_second":250.0,"calls_per_second_spread":0.01,"p50_us":1.0,"p99_us":2.0,"cpu_us_per_call":3.0,
         "allocs_per_call":4.0,"rounds":3,"others":0.0},
        {"build":"plain","shape":"one-cpu","scenario":"unary","payload":0,"concurrency":64,"subject":"tonic",
         "calls_per_second":100.0,"calls_per_second_spread":0.01,"p50_us":1.0,"p99_us":2.0,"cpu_us_per_call":8.0,
         "allocs_per_call":66.0,"rounds":3,"others":0.0},
        {"build":"plain","shape":"one-cpu","scenario":"unary","payload":0,"concurrency":1,"subject":"blocking",
         "calls_per_second":50.0,"calls_per_second_spread":0.01,"p50_us":1.0,"p99_us":2.0,"cpu_us_per_call":8.0,
         "allocs_per_call":0.0,"rounds":3,"others":0.0},
        {"build":"plain","shape":"one-cpu","scenario":"channels","payload":0,"concurrency":0,"subject":"rpc-grpc",
         "idle":1000,"endpoints":1,"heap_client_bytes":2048.0},
        {"build":"plain","shape":"one-cpu","scenario":"pick","payload":0,"concurrency":1,"subject":"p2c",
         "endpoints":1000,"calls_per_second":1e7,"calls_per_second_spread":0.01,"p50_us":0.1,"p99_us":0.1,
         "cpu_us_per_call":0.09,"allocs_per_call":0.0,"rounds":3,"others":0.0}
    ]"#;

    fn records() -> Vec<Record> {
        serde_json::from_str(JSON).unwrap()
    }

    #[test]
    fn ratios_figures_and_gaps() {
        let page = page(&records(), "a machine");
        for line in [
            "| cell | tonic, calls/s | rpc-grpc | tonic | blocking |",
            "| one-cpu unary 0 B x64 | 100 | 2.50 | 1.00 | - |",
            "| one-cpu unary 0 B x1 | - | - | - | 50.0 |",
            "| one-cpu unary 0 B x64 | 4 | 66 | - |",
            "| plain | channels 1000, 1 endpoints each | rpc-grpc | 2.00 | - | - |",
            "| one-cpu pick of 1000 endpoints | 90.0 |",
            "| p2c: ns of CPU to choose among 1000 endpoints | 90.00 | at most 100 | yes |",
            "| rpc-grpc / tonic, calls/s: one-cpu unary 0 B x64 | 2.50 | at least 1.8 | yes |",
        ] {
            assert!(page.contains(line), "no `{line}` in\n{page}");
        }
        assert!(!page.contains("## Open loop"), "nothing was measured");
    }

    #[test]
    fn what_was_disturbed_in_all_rounds_is_marked() {
        let mut records = records();
        for record in &mut records[..2] {
            record.calls.as_mut().unwrap().p99_us = None;
        }
        let tonic = records[1].calls.as_mut().unwrap();
        tonic.rounds_disturbed = tonic.rounds;
        let page = page(&records, "a machine");
        for line in [
            "| one-cpu unary 0 B x64 | 100* | 2.50* | 1.00* | - |",
            "| one-cpu unary 0 B x64 | 3.00 | 8.00* | - |",
            "| one-cpu unary 0 B x64 | - | - | - |",
        ] {
            assert!(page.contains(line), "no `{line}` in\n{page}");
        }
        let plots = super::super::plot::all(&records);
        assert_eq!(plots.len(), 1, "no ratio to what was disturbed");
        assert!(!plots[0].1.contains("tonic"), "{}", plots[0].1);
    }

    #[test]
    fn how_far_apart_the_cpus_were() {
        let with = |hops: &[f64]| {
            let mut records = records();
            let mut hops = hops.iter();
            for calls in records.iter_mut().filter_map(|record| record.calls.as_mut()) {
                calls.hop_ns = hops.next().copied();
            }
            hops_of_page(&page(&records, "a machine"))
        };
        assert_eq!(with(&[]), "a machine");
        let near = "a machine A cache line took 75 to 90 ns from one CPU to the other and back.";
        assert_eq!(with(&[90.0, 75.0]), near);
        assert!(with(&[75.0, 410.0]).ends_with("over twice the least in 1 of 2 rows."));
    }

    fn hops_of_page(page: &str) -> String {
        let line = page.lines().find_map(|line| line.strip_prefix("Measured on "));
        line.unwrap().to_owned()
    }

    #[test]
    fn records_survive_the_file() {
        let records = records();
        let text = serde_json::to_string(&records).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Record>>(&text).unwrap(), records);
        assert!(records[3].calls.is_none());
        assert!(!text.contains("null"), "{text}");
    }

    #[test]
    fn what_a_table_does_not_say_a_plot_does() {
        let plots = super::super::plot::all(&records());
        let names: Vec<_> = plots.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["calls.svg", "cpu.svg"]);
        assert!(plots[0].1.contains(">2.50</text>"), "{}", plots[0].1);
    }
}
