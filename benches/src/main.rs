//! `cargo xtask bench`: ours and its peers in one run, interleaved, as ratios.
//!
//! # What is measured
//! Unary echo and server streaming over **one connection** in a closed loop: a task per call in flight, each calling
//! again as soon as it is answered. Three shapes of threads, because they matter as much as the framework:
//!
//! - `one-cpu`: a one-worker runtime a side, all threads pinned to one CPU. Calls per second are then 1 / CPU cost.
//! - `shared`: one runtime of two workers for both sides, not pinned: what `#[tokio::main]` gives.
//! - `apart`: a one-worker runtime a side, each pinned to its own CPU.
//!
//! All subjects of a cell run in one process, in interleaved rounds; what is printed are medians over the rounds, with
//! the spread. CPU is user plus system time of the whole process, allocations are those of both sides. Rounds in which
//! other processes used more than 5 % of the machine are measured again, a few times; what is left of them is marked.
//! Absolute figures mean nothing on another machine; ratios do.

#![allow(clippy::cast_precision_loss, reason = "figures are printed to three digits")]

mod allocations;
mod cells;
mod measure;
mod options;
mod report;
mod shape;
mod subjects;
mod usage;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    let options = match options::Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let rows = cells::run(&options);
    report::print(&rows);
    if let Some(path) = &options.json
        && let Err(error) = report::write_json(path, &rows)
    {
        eprintln!("cannot write `{}`: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
