//! A server in the background.

use std::{
    process::Command,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use super::{TAIL_LINES, child::Process, name, signal::send, success, tail};
use crate::error::{Error, Result};

/// A server in the background, which has said where it listens. Killed when dropped.
pub(crate) struct Server {
    process: Process,
    name: String,
    address: String,
    log: Vec<String>,
}

impl Server {
    /// Starts a program and waits for its line `listening on HOST:PORT`.
    ///
    /// # Errors
    /// The program ended, or said nothing within `limit`.
    pub(crate) fn start(command: Command, limit: Duration) -> Result<Self> {
        const LINE: &str = "listening on ";
        let name = name(&command);
        let mut process = Process::spawn(command)?;
        let deadline = Instant::now() + limit;
        let mut log = Vec::new();
        loop {
            match process
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix(LINE) {
                        let address = address.trim().to_owned();
                        return Ok(Self {
                            process,
                            name,
                            address,
                            log,
                        });
                    }
                    log.push(line);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let why = process.too_slow(limit);
                    return Err(Error::Failed(format!(
                        "{name}: no line `{LINE}…`: {why}{}",
                        tail(&log)
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = process.wait(deadline, limit)?;
                    return Err(Error::Failed(format!(
                        "{name} ended at once: {status}{}",
                        tail(&log)
                    )));
                }
            }
        }
    }

    /// `HOST:PORT`, as printed.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The last lines of what it printed, to be added to the report of a failure.
    pub(crate) fn log(&mut self) -> String {
        self.log.extend(self.process.lines.try_iter());
        let excess = self.log.len().saturating_sub(TAIL_LINES);
        self.log.drain(..excess);
        if self.log.is_empty() {
            String::new()
        } else {
            format!("\n  log of {}:{}", self.name, tail(&self.log))
        }
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// It was still there after `limit`, or ended with another code than 0.
    pub(crate) fn terminate(mut self, limit: Duration) -> Result {
        send("TERM", &[self.process.id()])?;
        let outcome = self.process.wait(Instant::now() + limit, limit);
        match outcome.and_then(|status| success(&self.name, status)) {
            Ok(()) => Ok(()),
            Err(error) => Err(Error::Failed(format!("after SIGTERM: {error}{}", self.log()))),
        }
    }
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
    fn a_server_says_where_it_listens_and_ends_on_request() {
        let script = "trap 'echo bye; exit 0' TERM; echo hello; echo listening on 127.0.0.1:9; while :; do sleep 0.01; done";
        let mut server = Server::start(shell(script), LONG).unwrap();
        assert_eq!(server.address(), "127.0.0.1:9");
        assert!(server.log().contains("hello"));
        server.terminate(LONG).unwrap();
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error_with_its_log() {
        let error = Server::start(shell("echo port taken; exit 1"), LONG)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("ended at once") && error.contains("port taken"),
            "{error}"
        );
    }
}
