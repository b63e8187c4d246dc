//! Instances: a share of a machine, on which calls compete.
//!
//! # The model
//! A server works on all its calls at once, each at the same pace and none with more than one core: *processor sharing*,
//! which is what a CPU-bound handler on a pool of threads gets from an operating system. A queue in front of a few workers
//! was not taken: it hides how many calls are under way behind how many wait, and in services that wait for others
//! (most) there is no such queue. Beyond [`ServerConfig::limit`] calls a server refuses.
//!
//! How many cores it gets changes with the other tenants of its machine: see [`antagonist`].

pub mod antagonist;
mod sharing;

pub use self::{antagonist::Antagonist, sharing::Sharing};

use crate::{Key, Time};

/// What a server does with calls.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It works.
    None,
    /// It takes so many times longer.
    Slow(f64),
    /// It fails that share of calls at once, without any work. With 1, it is the black hole that looks idle.
    FailFast(f64),
}

/// How a server is built.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// Cores that it may use if nobody else needs them: those of the machine.
    pub machine_cores: f64,
    /// Cores that it was promised, and against which it reports its load.
    pub allocation: f64,
    /// What it gets, as a part of the allocation, while the rest of the machine is busy. Below 1, since isolation costs.
    pub squeezed: f64,
    /// How fast its cores are.
    pub speed: f64,
    /// How many calls it takes at once. Further ones are refused.
    pub limit: usize,
    /// Its lane; none is the base.
    pub lane: Option<u8>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            machine_cores: 4.0,
            allocation: 4.0,
            squeezed: 1.0,
            speed: 1.0,
            limit: 10_000,
            lane: None,
        }
    }
}

/// What a server says of itself, as it rides on its answers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Cores in use, as a part of the allocation, over about the last second. May be above 1.
    pub cpu: f64,
    /// Calls that ended in a second, over about the last second.
    pub per_second: f64,
    /// Calls under way.
    pub in_flight: usize,
}

/// One instance.
#[derive(Debug)]
pub struct Server {
    pub(crate) config: ServerConfig,
    /// The calls that are being worked on.
    pub(crate) sharing: Sharing<Key>,
    pub(crate) fault: Fault,
    /// The moment of the last finish that was entered into the agenda; older ones mean nothing.
    pub(crate) generation: u32,
    /// Calls here, those that wait for other services included.
    pub(crate) in_flight: usize,
    /// Calls that ended and cores that were used, in a second, fading.
    ended: Fading,
    used: Fading,
    said: Report,
    said_until: Time,
}

impl Server {
    /// An idle one.
    pub fn new(config: ServerConfig) -> Self {
        let cores = config.machine_cores;
        let speed = config.speed;
        Self {
            config,
            sharing: Sharing::new(cores, speed),
            fault: Fault::None,
            generation: 0,
            in_flight: 0,
            ended: Fading::default(),
            used: Fading::default(),
            said: Report::default(),
            said_until: Time::START,
        }
    }

    /// The other tenants use `taken` cores from now on.
    pub(crate) fn squeeze(&mut self, now: Time, taken: f64) {
        let left = self.config.machine_cores - taken;
        let promised = self.config.allocation;
        let cores = if left < promised {
            promised * self.config.squeezed
        } else {
            left
        };
        self.advance(now);
        self.sharing.set_cores(cores);
    }

    /// What is the matter with it from now on.
    pub(crate) fn set_fault(&mut self, now: Time, fault: Fault) {
        self.advance(now);
        self.fault = fault;
        let slower = if let Fault::Slow(times) = fault {
            times
        } else {
            1.0
        };
        self.sharing.set_speed(self.config.speed / slower);
    }

    /// Works until `now`.
    pub(crate) fn advance(&mut self, now: Time) {
        let used = self.sharing.advance(now);
        self.used.spread(now, used);
    }

    /// One call is done.
    pub(crate) fn count_end(&mut self, now: Time) {
        self.ended.add(now, 1.0);
    }

    /// What it says of itself. It looks anew when what it said last is older than `renewed` seconds.
    pub(crate) fn report(&mut self, now: Time, renewed: f64) -> Report {
        if now >= self.said_until {
            self.said_until = now.plus(renewed);
            self.advance(now);
            self.said = Report {
                cpu: self.used.rate(now) / self.config.allocation,
                per_second: self.ended.rate(now),
                in_flight: self.in_flight,
            };
        }
        self.said
    }
}

/// A sum over about the last second: what is older fades.
#[derive(Debug, Default)]
struct Fading {
    sum: f64,
    at: Time,
}

impl Fading {
    fn add(&mut self, now: Time, amount: f64) {
        self.fade(now);
        self.sum += amount;
    }

    /// Adds what came evenly since the last addition.
    fn spread(&mut self, now: Time, amount: f64) {
        let passed = (now - self.at).as_secs_f64();
        self.fade(now);
        if passed > 0.0 {
            self.sum += amount / passed * -(-passed).exp_m1();
        }
    }

    /// In a second. The time constant is one second, so that the sum is the rate.
    fn rate(&mut self, now: Time) -> f64 {
        self.fade(now);
        self.sum
    }

    fn fade(&mut self, now: Time) {
        self.sum *= (-(now - self.at).as_secs_f64()).exp();
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_rates_of_about_the_last_second() {
        let mut server = Server::new(ServerConfig::default());
        let key = crate::Slab::new().insert(());
        server.sharing.begin(Time::START, key, 1e9);
        let mut now = Time::START;
        for _ in 0..1000 {
            now = now.plus(0.01);
            server.count_end(now);
        }
        let report = server.report(now, 0.0);
        // One of four cores works, and a hundred calls a second end.
        assert!((report.cpu - 0.25).abs() < 0.01, "{report:?}");
        assert!((report.per_second - 100.0).abs() < 2.0, "{report:?}");
    }

    #[test]
    fn other_tenants_take_what_was_not_promised_and_some_of_what_was() {
        let mut server = Server::new(ServerConfig {
            machine_cores: 10.0,
            allocation: 4.0,
            squeezed: 0.75,
            ..ServerConfig::default()
        });
        let cores = |server: &mut Server, taken| {
            server.squeeze(Time::START, taken);
            format!("{:.1}", server.sharing.cores())
        };
        assert_eq!(
            [2.0, 6.0, 6.1, 30.0].map(|taken| cores(&mut server, taken)),
            ["8.0", "4.0", "3.0", "3.0"]
        );
    }
}
