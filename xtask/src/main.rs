//! `cargo xtask`: what a person would otherwise type.
//!
//! One file a command. Nothing here depends on a crate outside the standard library: this program is built before
//! everything else, on every machine that works on the project, and must not be what one waits for.

mod bench;
mod cargo;
mod ci;
mod error;
mod libtest;
mod manifest;
mod markdown;
mod parts;
mod process;
mod report;
mod sim;
mod test;
mod tools;
mod workspace;

use std::{env, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--only PART]... [--list]   run all tests, or some parts of them
  bench [FLAGS]                    measure; the flags are those of the `benches` program
  sim [FLAGS]                      simulate fleets; the flags are those of the `sim` program
  ci [--only PART]... [--list]     everything that guards the main branch, `test` included

`--only` may be given several times; `--only interop` also takes the parts `interop-*`.
With CI=true in the environment nothing may be skipped: what is missing is an error.
";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "test" => test::run(&rest),
        "bench" => bench::run(&rest),
        "sim" => sim::run(&rest),
        "ci" => ci::run(&rest),
        "" | "help" | "-h" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        unknown => {
            eprint!("unknown command `{unknown}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
