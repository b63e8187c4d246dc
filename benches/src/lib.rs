//! `cargo xtask bench`: ours and its peers in one run, interleaved, as ratios.
//!
//! # What is measured
//! Unary echo and server streaming in a closed loop: a task per call in flight, each calling again as soon as it is answered.
//! Everything goes over **one connection**, but where our gRPC client would spread the calls by itself. Three shapes of threads,
//! because they matter as much as the framework:
//!
//! - `one-cpu`: a one-worker runtime a side, all threads pinned to one CPU. Calls per second are then 1 / CPU cost.
//! - `shared`: one runtime of two workers for both sides, not pinned: what `#[tokio::main]` gives.
//! - `apart`: a one-worker runtime a side, each pinned to its own CPU.
//!
//! All subjects of a cell run in one process, in interleaved rounds; what is printed are medians over the rounds, with
//! the spread. CPU is user plus system time of the whole process, allocations are those of both sides. Percentiles are those
//! of single calls, or of whole streams. Rounds in which other processes used more than 5 % of the machine are measured again,
//! a few times; if they stay so they are dropped, and marked where there are no others. So are those in which the two CPUs
//! were at another distance (see `hop`). Absolute figures mean nothing on another machine; ratios do.
//!
//! Beside that, each in a module of its own: latency in an open loop, idle connections and channels, what [`Layers`] cost,
//! what choosing an endpoint costs, how soon a client recovers when an instance falls sick, and counts of instructions.
//!
//! # Two programs
//! Cargo builds a dependency once, with all features that anybody in the build asks for. tarpc asks for the feature `log`
//! of tracing, which slows everybody who uses tracing by some 13 %, whether anything is logged or not. So it is measured by
//! a program of its own, `benches/with-tarpc`, which is this library with more subjects; each row says which `build` it is
//! from, and ratios are taken inside one.

#![allow(clippy::cast_precision_loss, reason = "figures are printed to three digits")]

mod allocations;
mod cell;
mod channels;
mod closed;
mod connections;
mod floors;
mod hop;
mod instructions;
mod open;
mod options;
mod peer;
mod picks;
mod record;
mod recovery;
mod report;
mod run;
mod sample;
mod shape;
mod subjects;
mod table;
mod usage;

use std::{io, path::Path, process::ExitCode};

pub use self::{
    cell::{Cell, Layers, Scenario},
    peer::Peer,
    shape::Shape,
    subjects::{Caller, STREAM_LEN, Subject, all, over_sockets},
};
use self::{
    options::{Options, Task},
    record::Record,
};

/// The whole program: does what the command line says with these subjects. `build` is what its rows are marked with.
pub fn main(build: &str, peers: &[Peer]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if connections::serve_if_asked(&arguments, peers) || instructions::run_if_asked(&arguments) {
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match carry_out(build, peers, &options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(build: &str, peers: &[Peer], options: &Options) -> io::Result<ExitCode> {
    let passed = match &options.task {
        Task::Measure => measure(build, peers, options).map(|()| true),
        Task::Report(path) => report::write(&read(path)?).map(|()| true),
        Task::Floors(path) => Ok(floors::print(&floors::all(&read(path)?))),
        Task::Check => instructions::check(),
        Task::Bless => instructions::bless().map(|()| true),
    };
    Ok(if passed? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn measure(build: &str, peers: &[Peer], options: &Options) -> io::Result<()> {
    let records = run::run(build, peers, options);
    println!("build {build}");
    table::print(&records);
    let Some(path) = &options.json else {
        return Ok(());
    };
    let mut all = if options.append && path.exists() {
        read(path)?
    } else {
        Vec::new()
    };
    all.extend(records);
    record::write(path, &all)
}

fn read(path: &Path) -> io::Result<Vec<Record>> {
    record::read(path).map_err(|error| io::Error::other(format!("cannot read `{}`: {error}", path.display())))
}
