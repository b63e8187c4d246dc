//! One child: its lines, its end, its death.

use std::{
    io::{self, BufRead as _, BufReader, PipeReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use super::{name, signal};
use crate::error::{Context as _, Error, Result};

/// How often a silent child is looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// A running child. Killed when dropped, with all that descends from it.
pub(super) struct Process {
    child: Child,
    program: String,
    pub(super) lines: Receiver<String>,
    ended: Option<ExitStatus>,
}

impl Process {
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        let program = name(&command);
        let (reader, writer) = io::pipe().context("cannot create a pipe")?;
        let second = writer.try_clone().context("cannot copy a pipe")?;
        command.stdin(Stdio::null()).stdout(writer).stderr(second);
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing(format!("`{program}` is not there")),
            _ => Error::Failed(format!("cannot start `{program}`: {error}")),
        })?;
        // The command holds our ends of the pipe: while it lives, so does the pipe.
        drop(command);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || read_lines(reader, &sender));
        Ok(Self {
            child,
            program,
            lines,
            ended: None,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().context("cannot wait for a child")?;
        }
        Ok(self.ended)
    }

    pub(super) fn wait(&mut self, deadline: Instant, limit: Duration) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.too_slow(limit));
            }
            thread::sleep(TICK);
        }
    }

    pub(super) fn too_slow(&mut self, limit: Duration) -> Error {
        self.kill();
        Error::Failed(format!("`{}` was killed after {limit:?}", self.program))
    }

    fn kill(&mut self) {
        if matches!(self.poll(), Ok(None)) {
            let mut doomed = signal::descendants(self.child.id());
            doomed.push(self.child.id());
            // Descendants may have ended meanwhile; the child itself is waited for below either way.
            let _ = signal::send("KILL", &doomed);
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_lines(reader: PipeReader, sender: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        // Whoever stopped listening wants the child to go on all the same: keep the pipe empty.
        let _ = sender.send(text.trim_end_matches(['\n', '\r']).to_owned());
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn death_takes_grandchildren_along() {
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'echo $$; exec sleep 600' & wait"]);
        let process = Process::spawn(command).unwrap();
        let grandchild: u32 = process.lines.recv_timeout(LONG).unwrap().parse().unwrap();
        drop(process);

        // A zombie is dead enough: whoever adopted it has not looked yet.
        let gone = || match fs::read_to_string(format!("/proc/{grandchild}/stat")) {
            Ok(stat) => stat
                .rsplit_once(") ")
                .is_some_and(|(_, state)| state.starts_with('Z')),
            Err(_) => true,
        };
        let deadline = Instant::now() + LONG;
        while !gone() {
            assert!(Instant::now() < deadline, "the grandchild is still alive");
            thread::yield_now();
        }
    }
}
