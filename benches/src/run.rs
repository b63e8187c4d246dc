//! Measures every cell that the options ask for, all subjects interleaved.

use crate::{
    cell::{self, Cell},
    channels, connections,
    options::Options,
    peer::{Peer, Running},
    picks,
    record::Record,
    recovery,
    sample::{self, Samples},
    shape::Shape,
    table::BASE,
};

/// What others are a multiple of.
const BASES: [&str; 3] = [BASE, "raw", "tarpc"];

/// Measures everything that the options ask for.
pub(crate) fn run(build: &str, peers: &[Peer], options: &Options) -> Vec<Record> {
    let peers: Vec<Peer> = peers
        .iter()
        .copied()
        .filter(|peer| options.subject.as_ref().is_none_or(|name| name == peer.name))
        .collect();
    let mut records: Vec<Record> = Shape::ALL
        .into_iter()
        .flat_map(|shape| run_shape(build, shape, &peers, options))
        .collect();
    records.extend(picks::run(build, options));
    if !options.quick {
        records.extend(connections::run(build, &peers, options));
        records.extend(channels::run(build, options));
        records.extend(recovery::run(build, options));
    }
    records
}

fn run_shape(build: &str, shape: Shape, peers: &[Peer], options: &Options) -> Vec<Record> {
    let cells: Vec<Cell> = cell::all(shape)
        .into_iter()
        .filter(|cell| !options.quick || cell.is_quick(build))
        .filter(|cell| options.wants(&cell.name()))
        .collect();
    let started: Vec<(Peer, Box<dyn Running>)> = peers
        .iter()
        .filter(|peer| cells.iter().any(|cell| (peer.takes)(cell)))
        .map(|peer| (*peer, (peer.start)(shape)))
        .collect();
    cells
        .iter()
        .flat_map(|cell| run_cell(build, cell, &started, options))
        .collect()
}

fn run_cell(
    build: &str,
    cell: &Cell,
    started: &[(Peer, Box<dyn Running>)],
    options: &Options,
) -> Vec<Record> {
    let mut rows: Vec<_> = started
        .iter()
        .filter(|(peer, _)| (peer.takes)(cell))
        .map(|(peer, running)| (peer.name, running, Samples::default()))
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    eprintln!("{build}: {}", cell.name());
    for _ in 0..options.rounds {
        for row in 0..rows.len() {
            let usual = sample::usual_hop(rows.iter().map(|(_, _, samples)| samples));
            let (_, running, samples) = &mut rows[row];
            let measure = || running.measure(cell, options.window);
            samples.push(sample::undisturbed(cell.shape, usual, measure));
        }
    }
    let usual = sample::usual_hop(rows.iter().map(|(_, _, samples)| samples));
    for (_, _, samples) in &mut rows {
        samples.settle(usual);
    }
    let bases = || {
        rows.iter()
            .filter(|(name, ..)| BASES.contains(name))
            .map(|(name, _, samples)| (*name, samples))
    };
    rows.iter()
        .map(|(name, _, samples)| {
            Record::new(build, cell, name)
                .with_calls(samples)
                .over(samples, bases())
        })
        .collect()
}
