//! Calls, as whoever makes them sees them.

use super::{Event, World, attempt::Attempt, done::Done};
use crate::{
    Key, Time,
    policy::{Ask, Outcome, Over, Picked},
};

/// Attempts of a call at most.
const MOST: usize = 4;

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) client: usize,
    begun: Time,
    pub(super) deadline: Time,
    pub(super) lane: Option<u8>,
    pub(super) key: u64,
    /// For whom it is: the attempt whose server makes it. Nobody, if it comes from outside.
    pub(super) parent: Option<Key>,
    pub(super) depth: u8,
    /// It serves a further attempt, so that it must not become several itself.
    pub(super) again: bool,
    attempts: u32,
    tried: [usize; MOST],
    /// The attempt that is under way.
    current: Option<Key>,
}

impl Call {
    pub(super) fn new(client: usize, begun: Time, deadline: Time, lane: Option<u8>, key: u64) -> Self {
        Self {
            client,
            begun,
            deadline,
            lane,
            key,
            parent: None,
            depth: 0,
            again: false,
            attempts: 0,
            tried: [0; MOST],
            current: None,
        }
    }

    /// The instances that were tried.
    fn tried(&self) -> &[usize] {
        &self.tried[..(self.attempts as usize).min(MOST)]
    }
}

impl World<'_> {
    /// Begins a call.
    pub(super) fn begin(&mut self, call: Call) -> Key {
        let Call {
            client,
            deadline,
            depth,
            begun,
            ..
        } = call;
        if self.is_measured(begun) {
            self.counts.call(depth);
        }
        self.clients[client].budget.deposit();
        let key = self.calls.insert(call);
        self.agenda.enter(deadline, Event::Deadline(key));
        self.attempt(key);
        key
    }

    /// Makes the first attempt, or another one.
    pub(super) fn attempt(&mut self, key: Key) {
        let now = self.agenda.now();
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let client = &mut self.clients[call.client];
        let ask = Ask {
            tried: call.tried(),
            lane: call.lane,
            key: call.key,
        };
        let Some(Picked { endpoint, ticket }) = client.policy.pick(now, &ask) else {
            self.counts.nowhere += 1;
            self.end(key, Outcome::Refused);
            return;
        };
        let again = call.again || call.attempts > 0;
        if let Some(place) = call.tried.get_mut(call.attempts as usize) {
            *place = endpoint;
        }
        call.attempts += 1;
        let peers = &self.peers[client.service];
        let peer = peers[endpoint];
        let (lane, depth, measured) = (call.lane, call.depth, call.begun >= self.config.warm);
        let attempt = self.attempts.insert(Attempt::new(
            key,
            (endpoint, ticket),
            peer.server as u32,
            now,
            again,
        ));
        call.current = Some(attempt);
        if measured {
            self.counts.attempt(depth);
            self.counts.received[peer.server] += 1;
            match (lane, peer.lane) {
                (None, None) => {}
                (Some(wanted), Some(got)) if wanted == got => self.counts.in_lane += 1,
                (Some(wanted), None) if !peers.iter().any(|peer| peer.lane == Some(wanted)) => {
                    self.counts.to_base += 1;
                }
                _ => self.counts.strayed += 1,
            }
        }
        let at = self.arrival();
        self.agenda.enter(at, Event::Reach(attempt));
    }

    /// An answer is here.
    pub(super) fn answer(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get(key) else {
            return;
        };
        if attempt.given_up {
            // It is forgotten when the server hears of that.
            return;
        }
        let Some(attempt) = self.attempts.remove(key) else {
            return;
        };
        let now = self.agenda.now();
        let Some((outcome, report)) = attempt.answer else {
            return;
        };
        let Some(call) = self.calls.get_mut(attempt.call) else {
            return;
        };
        call.current = None;
        let client = &mut self.clients[call.client];
        client.policy.finished(
            now,
            &Over {
                endpoint: attempt.endpoint,
                ticket: attempt.ticket,
                outcome,
                sent: attempt.sent,
                report: Some(report),
            },
        );
        let retry = &self.config.retry;
        let mayagain = outcome == Outcome::Failed
            && call.attempts < retry.attempts
            && !(call.again && retry.stops_below);
        if mayagain {
            let longest = retry.pause * f64::from(1_u32 << (call.attempts - 1).min(10));
            let at = now.plus(self.rng.f64() * longest);
            if at < call.deadline && client.budget.withdraw(now) {
                self.agenda.enter(at, Event::Again(attempt.call));
                return;
            }
        }
        self.end(attempt.call, outcome);
    }

    /// A call's time is up.
    pub(super) fn deadline(&mut self, key: Key) {
        self.abandon(key, Outcome::TimedOut);
    }

    /// Gives a call up, if it is still under way.
    pub(super) fn abandon(&mut self, key: Key, outcome: Outcome) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let client = call.client;
        if let Some(current) = call.current.take()
            && let Some(attempt) = self.attempts.get_mut(current)
        {
            attempt.given_up = true;
            let over = Over {
                endpoint: attempt.endpoint,
                ticket: attempt.ticket,
                outcome,
                sent: attempt.sent,
                report: None,
            };
            let now = self.agenda.now();
            self.clients[client].policy.finished(now, &over);
            let at = self.arrival();
            self.agenda.enter(at, Event::Cancel(current));
        }
        self.end(key, outcome);
    }

    /// A call is over: whoever made it goes on.
    fn end(&mut self, key: Key, outcome: Outcome) {
        let Some(call) = self.calls.remove(key) else {
            return;
        };
        if let Some(parent) = call.parent {
            if outcome != Outcome::Cancelled {
                self.served(parent, outcome);
            }
            return;
        }
        if self.is_measured(call.begun) {
            let took = self.agenda.now() - call.begun;
            self.done.push(Done {
                begun: call.begun,
                micros: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
                outcome,
            });
        }
    }
}
