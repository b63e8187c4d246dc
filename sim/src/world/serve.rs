//! Calls, as servers see them.

use std::time::Duration;

use fastrand::Rng;

use super::{Caller, Event, World, attempt::Place, call::Call};
use crate::{Key, policy::Outcome, server::Fault};

impl World<'_> {
    /// A request is at its server.
    pub(super) fn reach(&mut self, key: Key) {
        let now = self.agenda.now();
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let index = attempt.server;
        let server = &mut self.servers[index as usize];
        if let Fault::FailFast(share) = server.fault
            && self.rng.f64() < share
        {
            self.reply(key, Outcome::Failed);
            return;
        }
        if server.in_flight >= server.config.limit {
            self.reply(key, Outcome::Refused);
            return;
        }
        let work = self.config.services[self.service_of[index as usize]].work;
        let work = work.draw(&mut self.rng);
        server.in_flight += 1;
        server.advance(now);
        attempt.place = Place::Working(server.sharing.begin(now, key, work));
        self.reschedule(index);
    }

    /// A server is done with what it works on.
    pub(super) fn work(&mut self, index: u32, generation: u32) {
        let now = self.agenda.now();
        let server = &mut self.servers[index as usize];
        if server.generation != generation {
            return;
        }
        server.advance(now);
        let done = server.sharing.take_done(now);
        self.reschedule(index);
        if let Some(key) = done {
            self.worked(key);
        }
    }

    /// The server's own work for an attempt is done: it calls on, or answers.
    fn worked(&mut self, key: Key) {
        let now = self.agenda.now();
        let Some(attempt) = self.attempts.get(key) else {
            return;
        };
        let (server, again) = (attempt.server, attempt.again);
        let next = &self.config.services[self.service_of[server as usize]].next;
        let fails = self.config.failing > 0.0 && self.rng.f64() < self.config.failing;
        if next.is_empty() || fails {
            self.served(key, if fails { Outcome::Failed } else { Outcome::Answered });
            return;
        }
        let Some(above) = self.calls.get(attempt.call) else {
            // Its client is gone, and the server hears of that soon.
            self.served(key, Outcome::Cancelled);
            return;
        };
        // The same request needs the same service, however often it is tried.
        let service = next[Rng::with_seed(above.key ^ u64::from(above.depth)).usize(..next.len())];
        // What is left when the answer has to travel back as well.
        let deadline = above.deadline.before(Duration::from_secs_f64(self.config.delay));
        let (lane, hash, depth) = (above.lane, above.key, above.depth + 1);
        let client = self.client(Caller::Server(server), service);
        let mut call = Call::new(client, now, deadline, lane, hash);
        call.parent = Some(key);
        call.depth = depth;
        call.again = again;
        let below = self.begin(call);
        // It may be over already, if there was nowhere to go.
        if self.calls.get(below).is_some()
            && let Some(attempt) = self.attempts.get_mut(key)
        {
            attempt.place = Place::Waiting(below);
        }
    }

    /// A server has served an attempt.
    pub(super) fn served(&mut self, key: Key, outcome: Outcome) {
        let now = self.agenda.now();
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        attempt.place = Place::Travelling;
        let server = &mut self.servers[attempt.server as usize];
        server.in_flight -= 1;
        server.count_end(now);
        if attempt.given_up {
            self.counts.late += 1;
        }
        // To the client above, a timeout below is a failure of this server.
        let outcome = if outcome == Outcome::Answered {
            outcome
        } else {
            Outcome::Failed
        };
        self.reply(key, outcome);
    }

    fn reply(&mut self, key: Key, outcome: Outcome) {
        let now = self.agenda.now();
        let at = self.arrival();
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let report = self.servers[attempt.server as usize].report(now, self.config.renewed);
        attempt.answer = Some((outcome, report));
        self.agenda.enter(at, Event::Answer(key));
    }

    /// A server hears that nobody waits for an attempt any more.
    pub(super) fn cancel(&mut self, key: Key) {
        let now = self.agenda.now();
        let Some(attempt) = self.attempts.remove(key) else {
            return;
        };
        let server = &mut self.servers[attempt.server as usize];
        match attempt.place {
            Place::Travelling => {}
            Place::Working(job) => {
                server.advance(now);
                server.sharing.give_up(now, job);
                server.in_flight -= 1;
                self.reschedule(attempt.server);
            }
            Place::Waiting(below) => {
                server.in_flight -= 1;
                self.abandon(below, Outcome::Cancelled);
            }
        }
    }

    /// Enters the moment at which a server is done with something, if nothing changes before.
    pub(super) fn reschedule(&mut self, index: u32) {
        let server = &mut self.servers[index as usize];
        server.generation = server.generation.wrapping_add(1);
        let generation = server.generation;
        if let Some(at) = server.sharing.next_end() {
            self.agenda.enter(
                at,
                Event::Work {
                    server: index,
                    generation,
                },
            );
        }
    }
}
