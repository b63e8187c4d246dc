//! Child processes that cannot outstay: each has a time limit, and dies with the value that stands for it.
//!
//! Standard output and standard error go into one pipe, in the order in which the child wrote them. Children
//! stay in our process group, so that Ctrl-C at a terminal reaches all of them; what has to be killed from here
//! is found by descent (a test binary is a grandchild, behind cargo).

mod child;
mod server;
mod signal;

use std::{
    fmt::Write as _,
    process::{Command, ExitCode, ExitStatus},
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use self::child::{Process, TICK};
pub(crate) use self::server::Server;
use crate::error::{Error, Result};

/// How long output is awaited after the child itself has ended: a grandchild may still hold the pipe.
const STRAGGLERS: Duration = Duration::from_secs(2);
/// How much of a captured output is shown when something fails.
const TAIL_LINES: usize = 80;

/// Runs a command that may take `limit`, hands each line of its output to `on_line`, and says how it ended.
///
/// # Errors
/// The program is missing, or was killed because its time was up.
pub(crate) fn watch(command: Command, limit: Duration, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut process = Process::spawn(command)?;
    let deadline = Instant::now() + limit;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match process.lines.recv_timeout(TICK) {
            Ok(line) => on_line(&line),
            Err(RecvTimeoutError::Disconnected) => return process.wait(deadline, limit),
            Err(RecvTimeoutError::Timeout) => {
                if let Some((status, since)) = ended {
                    if since.elapsed() > STRAGGLERS {
                        return Ok(status);
                    }
                } else {
                    ended = process.poll()?.map(|status| (status, Instant::now()));
                }
            }
        }
        if Instant::now() > deadline {
            return Err(process.too_slow(limit));
        }
    }
}

/// Runs a command and passes its output on as it comes.
///
/// # Errors
/// It did not succeed within `limit`.
pub(crate) fn run(command: Command, limit: Duration) -> Result {
    announce(&command);
    let program = name(&command);
    success(&program, watch(command, limit, |line| println!("{line}"))?)
}

/// Runs a command and returns what it printed.
///
/// # Errors
/// It did not succeed within `limit`; the message ends with the last lines of its output.
pub(crate) fn capture(command: Command, limit: Duration) -> Result<String> {
    let program = name(&command);
    let mut output = Vec::new();
    let outcome = watch(command, limit, |line| output.push(line.to_owned()));
    match outcome.and_then(|status| success(&program, status)) {
        Ok(()) => Ok(output.join("\n")),
        Err(Error::Failed(why)) => Err(Error::Failed(format!("{why}{}", tail(&output)))),
        Err(missing) => Err(missing),
    }
}

/// Replaces this process with a program, or waits for it where the system cannot replace.
///
/// # Errors
/// The program cannot be started.
pub(crate) fn become_program(mut command: Command) -> Result<ExitCode> {
    let program = name(&command);
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) if status.success() => return Ok(ExitCode::SUCCESS),
        Ok(_) => return Ok(ExitCode::FAILURE),
        Err(error) => error,
    };
    Err(Error::Failed(format!("cannot start `{program}`: {error}")))
}

/// Shows what is about to run, as one would type it.
pub(crate) fn announce(command: &Command) {
    let program = name(command);
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    println!("$ {program} {}", args.join(" "));
}

fn success(program: &str, status: ExitStatus) -> Result {
    if status.success() {
        Ok(())
    } else {
        Err(Error::Failed(format!("`{program}` failed: {status}")))
    }
}

fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The last lines, set off from the text they are added to.
fn tail(lines: &[String]) -> String {
    let first = lines.len().saturating_sub(TAIL_LINES);
    let mut text = String::new();
    for line in &lines[first..] {
        // Writing to a string does not fail.
        let _ = write!(text, "\n    | {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_captured_in_order() {
        let output = capture(shell("echo one; echo two >&2; printf three"), LONG).unwrap();
        assert_eq!(output, "one\ntwo\nthree");
    }

    #[test]
    fn a_failure_shows_the_output() {
        let error = capture(shell("echo because; exit 3"), LONG)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("because"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_program_is_told_from_a_failing_one() {
        let error = capture(Command::new("a-program-that-nobody-has"), LONG).unwrap_err();
        assert!(matches!(error, Error::Missing(_)), "{error}");
    }

    #[test]
    fn time_limit_ends_a_run() {
        let error = watch(shell("exec sleep 600"), Duration::from_millis(20), |_| ()).unwrap_err();
        assert!(error.to_string().contains("killed after 20ms"), "{error}");
    }
}
