//! What is kept of calls that are over.

use crate::{Time, policy::Outcome};

/// A call from outside that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Done {
    /// When it began.
    pub begun: Time,
    /// How long it took, in microseconds.
    pub micros: u32,
    /// How it ended.
    pub outcome: Outcome,
}

impl Done {
    /// True if there was an answer.
    pub fn is_answered(&self) -> bool {
        self.outcome == Outcome::Answered
    }
}

/// Sums over the measured time.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Requests that each server got.
    pub received: Vec<u64>,
    /// Calls by their depth: those from outside first.
    pub calls: Vec<u64>,
    /// Attempts by the same.
    pub attempts: Vec<u64>,
    /// Attempts in a lane that went to an instance of it.
    pub in_lane: u64,
    /// Attempts in a lane of which the service has no instance; they went to the base.
    pub to_base: u64,
    /// Attempts that went where they must not: to another lane, or to the base in spite of an instance in the lane.
    pub strayed: u64,
    /// Calls that could not be sent anywhere.
    pub nowhere: u64,
    /// Calls that were served although nobody waited for them any more.
    pub late: u64,
}

impl Counts {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            received: vec![0; servers],
            ..Self::default()
        }
    }

    pub(super) fn call(&mut self, depth: u8) {
        add(&mut self.calls, depth);
    }

    pub(super) fn attempt(&mut self, depth: u8) {
        add(&mut self.attempts, depth);
    }

    /// A server's part of all requests.
    pub fn share(&self, server: usize) -> f64 {
        let all: u64 = self.received.iter().sum();
        self.received[server] as f64 / all.max(1) as f64
    }
}

fn add(counts: &mut Vec<u64>, depth: u8) {
    let depth = usize::from(depth);
    if counts.len() <= depth {
        counts.resize(depth + 1, 0);
    }
    counts[depth] += 1;
}
