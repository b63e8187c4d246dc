//! Clients, a network and servers, on virtual time.
//!
//! # What is simplified
//! - The network delays, and neither loses nor orders messages, nor does bandwidth run out. Connections are always there.
//! - Servers are as in [`server`](crate::server): a call needs a core for some time, or waits for another service.
//! - A call is one request and one answer. What clients and servers themselves cost is not counted.
//! - Calls come as a Poisson process, whatever happened to earlier ones (an open loop): nobody waits for a slow fleet.
//! - A client that gives up tells the server, which stops working on the call as soon as it hears of it.
//! - Where a scenario asks for it, a failed attempt is repeated after a pause, elsewhere, within a budget ([`RetryConfig`]): that
//!   is a model, and no layer that is shipped.
//! - What is learnt from outside the calls is not there: no active health checks, no probes.

mod attempt;
mod budget;
mod call;
mod done;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use fastrand::Rng;

use self::{attempt::Attempt, budget::Budget, call::Call};
pub use self::{
    budget::RetryConfig,
    done::{Counts, Done},
};
use crate::{
    Agenda, Key, Slab, Time,
    draw::{self, Work},
    policy::{Make, Peer, Policy},
    server::{Antagonist, Fault, Server, ServerConfig},
};

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// Somebody outside calls.
    Arrive,
    /// A request is at its server.
    Reach(Key),
    /// A server is done with a call, if nothing changed since.
    Work { server: u32, generation: u32 },
    /// An answer is at its client.
    Answer(Key),
    /// It is time for another attempt.
    Again(Key),
    /// A call's time is up.
    Deadline(Key),
    /// A server hears that its client gave up.
    Cancel(Key),
    /// The other tenants of a machine change.
    Squeeze(u32),
    /// Something goes wrong, or right again.
    Change(u32),
    /// Clients look after their endpoints.
    Tick,
}

/// Instances that do the same.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its servers.
    pub servers: Vec<ServerConfig>,
    /// What a call is worth.
    pub work: Work,
    /// The services of which it calls one for each call; nobody if there are none.
    pub next: Vec<usize>,
}

impl Service {
    /// How many servers it has.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }
}

/// How a world is built.
#[derive(Debug, Clone)]
pub struct Config {
    /// What runs on which servers.
    pub services: Vec<Service>,
    /// Calls from outside go to one of so many services, the first of them.
    pub entries: usize,
    /// How many clients call from outside. Each has a policy of its own.
    pub clients: usize,
    /// Calls from outside, in a second, of all clients together.
    pub rate: f64,
    /// When the last call comes.
    pub end: Time,
    /// From when on calls are measured.
    pub warm: Time,
    /// How long a call may take.
    pub timeout: f64,
    /// Seconds that a message is under way at least.
    pub delay: f64,
    /// Seconds that it is under way on top of that, on average; exponentially distributed.
    pub jitter: f64,
    /// What happens after a failure.
    pub retry: RetryConfig,
    /// Share of the calls that fail on any server, after their work.
    pub failing: f64,
    /// The other tenants of each machine, by server; none where the list ends.
    pub antagonists: Vec<Antagonist>,
    /// What goes wrong when, by server.
    pub script: Vec<(Time, usize, Fault)>,
    /// How long servers say the same of their load before they look anew, in seconds: what they say rides on each answer.
    pub renewed: f64,
    /// How often clients look after their endpoints, in seconds.
    pub tick: f64,
    /// The share of the calls in each lane; the rest is in the base.
    pub lanes: Vec<f64>,
    /// All that is random follows from it.
    pub seed: u64,
}

impl Default for Config {
    /// No services yet; a network as within a data centre, and calls that may take five seconds.
    fn default() -> Self {
        Self {
            services: Vec::new(),
            entries: 1,
            clients: 1,
            rate: 1.0,
            end: Time::from_secs_f64(60.0),
            warm: Time::from_secs_f64(20.0),
            timeout: 5.0,
            delay: 0.000_2,
            jitter: 0.000_05,
            retry: RetryConfig::OFF,
            failing: 0.0,
            antagonists: Vec::new(),
            script: Vec::new(),
            renewed: 0.5,
            tick: 1.0,
            lanes: Vec::new(),
            seed: 1,
        }
    }
}

/// Who calls: somebody outside, or a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    Outside(usize),
    Server(u32),
}

/// One caller's view of one service.
struct Client {
    policy: Box<dyn Policy>,
    budget: Budget,
    service: usize,
}

/// A fleet, its clients, and all that is under way between them.
pub struct World<'m> {
    config: Config,
    make: &'m Make<'m>,
    agenda: Agenda<Event>,
    rng: Rng,
    servers: Vec<Server>,
    /// The service of each server.
    service_of: Vec<usize>,
    /// The servers of each service.
    peers: Vec<Vec<Peer>>,
    clients: Vec<Client>,
    /// Made when the first call needs them: of all pairs of a server and a service most never meet.
    client_of: HashMap<(Caller, usize), usize>,
    calls: Slab<Call>,
    attempts: Slab<Attempt>,
    done: Vec<Done>,
    counts: Counts,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Each call from outside that was measured.
    pub done: Vec<Done>,
    /// Sums over the measured time.
    pub counts: Counts,
    /// Events that happened.
    pub events: u64,
}

impl<'m> World<'m> {
    /// A world in which nothing happened yet. `make` makes the policy of each client.
    pub fn new(config: Config, make: &'m Make<'m>) -> Self {
        // Policies draw from the thread's own source.
        fastrand::seed(config.seed);
        let mut servers = Vec::new();
        let mut service_of = Vec::new();
        let mut peers = Vec::new();
        for (index, service) in config.services.iter().enumerate() {
            let first = servers.len();
            peers.push(
                service
                    .servers
                    .iter()
                    .enumerate()
                    .map(|(place, server)| Peer {
                        server: first + place,
                        weight: 1,
                        lane: server.lane,
                    })
                    .collect(),
            );
            servers.extend(service.servers.iter().cloned().map(Server::new));
            service_of.resize(servers.len(), index);
        }
        let counts = Counts::new(servers.len());
        Self {
            rng: Rng::with_seed(config.seed ^ 0x5eed),
            config,
            make,
            agenda: Agenda::new(),
            servers,
            service_of,
            peers,
            clients: Vec::new(),
            client_of: HashMap::new(),
            calls: Slab::new(),
            attempts: Slab::new(),
            done: Vec::new(),
            counts,
        }
    }

    /// Runs until the last call is over.
    pub fn run(mut self) -> Ran {
        self.prepare();
        while let Some(event) = self.agenda.take() {
            self.happen(event);
        }
        debug_assert!(self.calls.is_empty() && self.attempts.is_empty(), "all calls end");
        Ran {
            done: self.done,
            counts: self.counts,
            events: self.agenda.entered(),
        }
    }

    fn prepare(&mut self) {
        self.agenda.enter(Time::START, Event::Arrive);
        self.agenda.enter(Time::START, Event::Tick);
        for machine in 0..self.config.antagonists.len().min(self.servers.len()) {
            self.agenda.enter(Time::START, Event::Squeeze(machine as u32));
        }
        for (index, (at, ..)) in self.config.script.iter().enumerate() {
            self.agenda.enter(*at, Event::Change(index as u32));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Reach(attempt) => self.reach(attempt),
            Event::Work { server, generation } => self.work(server, generation),
            Event::Answer(attempt) => self.answer(attempt),
            Event::Again(call) => self.attempt(call),
            Event::Deadline(call) => self.deadline(call),
            Event::Cancel(attempt) => self.cancel(attempt),
            Event::Squeeze(machine) => self.squeeze(machine),
            Event::Change(index) => self.change(index),
            Event::Tick => self.tick(),
        }
    }

    fn arrive(&mut self) {
        let now = self.agenda.now();
        let client = self.rng.usize(..self.config.clients);
        let lane = self.draw_lane();
        let key = self.rng.u64(..);
        let deadline = now.plus(self.config.timeout);
        let entry = self.rng.usize(..self.config.entries);
        let call = Call::new(
            self.client(Caller::Outside(client), entry),
            now,
            deadline,
            lane,
            key,
        );
        self.begin(call);
        let next = now.plus(draw::exponential(&mut self.rng, 1.0 / self.config.rate));
        self.enter_before_end(next, Event::Arrive);
    }

    fn draw_lane(&mut self) -> Option<u8> {
        if self.config.lanes.is_empty() {
            return None;
        }
        let mut drawn = self.rng.f64();
        for (lane, share) in self.config.lanes.iter().enumerate() {
            if drawn < *share {
                return Some(lane as u8);
            }
            drawn -= share;
        }
        None
    }

    /// The caller's view of a service.
    fn client(&mut self, caller: Caller, service: usize) -> usize {
        if let Some(&client) = self.client_of.get(&(caller, service)) {
            return client;
        }
        self.clients.push(Client {
            policy: (self.make)(&self.peers[service]),
            budget: Budget::new(self.config.retry),
            service,
        });
        let client = self.clients.len() - 1;
        self.client_of.insert((caller, service), client);
        client
    }

    fn squeeze(&mut self, machine: u32) {
        let now = self.agenda.now();
        let antagonist = self.config.antagonists[machine as usize];
        let (load, holds) = antagonist.next(&mut self.rng);
        let server = &mut self.servers[machine as usize];
        let taken = load * server.config.machine_cores;
        server.squeeze(now, taken);
        self.reschedule(machine);
        self.enter_before_end(now.plus(holds), Event::Squeeze(machine));
    }

    fn change(&mut self, index: u32) {
        let now = self.agenda.now();
        let (_, server, fault) = self.config.script[index as usize];
        self.servers[server].set_fault(now, fault);
        self.reschedule(server as u32);
    }

    fn tick(&mut self) {
        let now = self.agenda.now();
        for client in &mut self.clients {
            client.policy.tick(now);
        }
        self.enter_before_end(now.plus(self.config.tick), Event::Tick);
    }

    /// For what goes on by itself: it ends with the calls.
    fn enter_before_end(&mut self, at: Time, event: Event) {
        if at <= self.config.end {
            self.agenda.enter(at, event);
        }
    }

    /// When a message that is sent now arrives.
    fn arrival(&mut self) -> Time {
        let delay = self.config.delay + draw::exponential(&mut self.rng, self.config.jitter);
        self.agenda.now().plus(delay)
    }

    fn is_measured(&self, begun: Time) -> bool {
        begun >= self.config.warm
    }
}
