//! What of the records is shown as bars.

use rpc_plot::{Bar, Bars, Group, Scale};

use crate::{
    cell::PLAIN,
    record::{Calls, Record},
    table::BASE,
};

/// A name of a file, and what it holds.
pub(super) fn all(records: &[Record]) -> Vec<(&'static str, String)> {
    let speed = by_shape(records, |calls, base| {
        base.map(|base| calls.speed_over(BASE, base))
    });
    let cpu = by_shape(records, |calls, _| Some(calls.cpu_us_per_call));
    let heap = connections(records);
    [
        (
            "calls.svg",
            "Calls per second as a multiple of tonic's: 0 B, 64 in flight (logarithmic)",
            Scale::Logarithmic,
            speed,
        ),
        (
            "cpu.svg",
            "Microseconds of CPU a call, both sides: 0 B, 64 in flight (logarithmic)",
            Scale::Logarithmic,
            cpu,
        ),
        (
            "connections.svg",
            "KiB of heap for an idle connection, both ends",
            Scale::Linear,
            heap,
        ),
    ]
    .into_iter()
    .filter(|(.., groups)| !groups.is_empty())
    .map(|(name, title, scale, groups)| {
        let title = title.to_owned();
        (name, Bars { title, scale, groups }.svg())
    })
    .collect()
}

/// Rows all of whose rounds were disturbed are left out.
fn by_shape<'a>(
    records: &'a [Record],
    figure: impl Fn(&'a Calls, Option<&'a Calls>) -> Option<f64>,
) -> Vec<Group> {
    let group = |shape: &str| {
        let bars = records
            .iter()
            .filter(|record| {
                record.shape == shape
                    && record.scenario == "unary"
                    && record.payload == 0
                    && record.concurrency == 64
            })
            // Who is in both programs is shown as the plain one has it.
            .filter(|record| {
                record.build == PLAIN
                    || !records
                        .iter()
                        .any(|other| other.build == PLAIN && other.subject == record.subject)
            })
            .filter_map(|record| {
                let sound = |record: &'a Record| record.calls.as_ref().filter(|calls| calls.is_sound());
                let value = figure(sound(record)?, record.peer(records, BASE).and_then(sound))?;
                Some(bar(&record.subject, value))
            });
        Group {
            label: shape.to_owned(),
            bars: bars.collect(),
        }
    };
    let groups = ["one-cpu", "shared", "apart"].map(group);
    groups
        .into_iter()
        .filter(|group| !group.bars.is_empty())
        .collect()
}

fn connections(records: &[Record]) -> Vec<Group> {
    let most = records.iter().filter_map(|record| record.idle).max();
    let bars: Vec<_> = records
        .iter()
        .filter(|record| record.scenario == "connections" && record.idle == most)
        .filter_map(|record| {
            let both = record.heap_client_bytes? + record.heap_server_bytes?;
            Some(bar(&record.subject, both / 1024.0))
        })
        .collect();
    if bars.is_empty() {
        return Vec::new();
    }
    vec![Group {
        label: format!("{} idle", most.unwrap_or_default()),
        bars,
    }]
}

fn bar(subject: &str, value: f64) -> Bar {
    Bar {
        label: subject.to_owned(),
        value,
        // Ours.
        stands_out: subject.starts_with("rpc-"),
    }
}
