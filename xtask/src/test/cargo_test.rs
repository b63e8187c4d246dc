//! The tests that cargo knows: all crates, all features, counted one by one.

use std::{ffi::OsStr, time::Duration};

use crate::{
    cargo::cargo,
    error::{Error, Result},
    libtest::Tally,
    process,
    report::Outcome,
    tools,
    workspace::Workspace,
};

const BUILD: Duration = Duration::from_mins(45);
/// A test that hangs takes the whole run with it, so this is far above what all of them need together.
const RUN: Duration = Duration::from_mins(25);
/// How the tests of unsafe code begin.
const UNSAFE: &str = "future::tests::";

pub(super) fn unit(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    // Built first, so that the time limit of the run measures tests and not the compiler.
    // `--tests` and not `--all-targets`: benchmarks are no tests, and examples run on their own.
    let args = ["--workspace", "--all-features", "--tests"];
    let mut build = cargo(workspace, "test");
    build.args(args).arg("--no-run");
    process::run(build, BUILD)?;
    test(workspace, outcome, &args, &[], RUN)
}

pub(super) fn doc(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    test(
        workspace,
        outcome,
        &["--workspace", "--all-features", "--doc"],
        &[],
        BUILD,
    )
}

/// The unit tests of what is unsafe, each in a process that valgrind watches.
pub(super) fn memory(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    // Leaks are not looked for: the test harness itself keeps what it made until the process ends.
    let runner = format!(
        "target.'cfg(unix)'.runner = ['{}', '--quiet', '--error-exitcode=9']",
        tools::valgrind()?.display()
    );
    let args = [
        "--config",
        &runner,
        "--workspace",
        "--all-features",
        "--lib",
        UNSAFE,
    ];
    let before = outcome.passed();
    test(workspace, outcome, &args, &[], RUN)?;
    if outcome.passed() == before {
        return Err(Error::Missing(format!("no test is called `{UNSAFE}`")));
    }
    Ok(())
}

/// A test binary that takes no part in a plain `cargo test`, because it needs to be told by the environment where a program
/// is that it runs against.
pub(super) fn binary(
    workspace: &Workspace,
    outcome: &mut Outcome,
    name: &str,
    told: &[(&str, &OsStr)],
) -> Result {
    // All features and the whole workspace, as for the other tests: nothing is built twice.
    let args = ["--workspace", "--all-features", "--test", name];
    let mut build = cargo(workspace, "test");
    build.args(args).arg("--no-run");
    process::run(build, BUILD)?;
    test(workspace, outcome, &args, told, RUN)
}

fn test(
    workspace: &Workspace,
    outcome: &mut Outcome,
    args: &[&str],
    told: &[(&str, &OsStr)],
    limit: Duration,
) -> Result {
    let mut command = cargo(workspace, "test");
    command.args(args).arg("--no-fail-fast");
    command.envs(told.iter().copied());
    process::announce(&command);
    let mut tally = Tally::default();
    let ended = process::watch(command, limit, |line| {
        println!("{line}");
        tally.line(line);
    });
    // What was counted before a time limit struck counts all the same.
    tally.finish(ended.as_ref().is_ok_and(std::process::ExitStatus::success));
    outcome.add(tally.passed, tally.failed, tally.ignored);
    ended.map(drop)
}
