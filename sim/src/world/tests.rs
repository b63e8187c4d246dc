use super::*;
use crate::policy::{Ask, Outcome, Over, Picked};

/// Anywhere.
struct Anywhere(usize);

impl Policy for Anywhere {
    fn pick(&mut self, _now: Time, _ask: &Ask<'_>) -> Option<Picked> {
        Some(Picked {
            endpoint: fastrand::usize(..self.0),
            ticket: None,
        })
    }

    fn finished(&mut self, _now: Time, _over: &Over) {}
}

fn anywhere(peers: &[Peer]) -> Box<dyn Policy> {
    Box::new(Anywhere(peers.len()))
}

/// `servers` with one core each, loaded to `load`.
fn queues(servers: usize, load: f64, work: Work) -> Config {
    let one = ServerConfig {
        machine_cores: 1.0,
        allocation: 1.0,
        ..ServerConfig::default()
    };
    Config {
        services: vec![Service {
            servers: vec![one; servers],
            work,
            next: Vec::new(),
        }],
        rate: load * servers as f64 / work.mean(),
        clients: 1,
        end: Time::from_secs_f64(2000.0),
        warm: Time::from_secs_f64(100.0),
        timeout: 1e6,
        ..Config::default()
    }
}

fn mean(ran: &Ran) -> f64 {
    let total: f64 = ran.done.iter().map(|done| f64::from(done.micros)).sum();
    total / ran.done.len() as f64 / 1e6
}

#[test]
fn one_server_takes_as_long_as_theory_says() {
    // M/G/1 with processor sharing: mean work / (1 - load), whatever the distribution.
    for work in [
        Work::Exponential { mean: 0.02 },
        Work::LogNormal {
            mean: 0.02,
            sigma: 1.0,
        },
    ] {
        let mean = mean(&World::new(queues(4, 0.8, work), &anywhere).run());
        assert!((mean / 0.1 - 1.0).abs() < 0.1, "{work:?}: {mean}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let config = Config {
            seed,
            end: Time::from_secs_f64(20.0),
            warm: Time::START,
            failing: 0.1,
            timeout: 0.2,
            delay: 0.001,
            retry: RetryConfig::BUDGETED,
            ..queues(4, 0.9, Work::Exponential { mean: 0.02 })
        };
        let ran = World::new(config, &anywhere).run();
        (ran.done, ran.events)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_call_ends_at_its_deadline_and_the_server_is_free_again() {
    let config = Config {
        timeout: 0.5,
        end: Time::from_secs_f64(50.0),
        warm: Time::START,
        delay: 0.001,
        ..queues(1, 3.0, Work::Exponential { mean: 0.1 })
    };
    let ran = World::new(config, &anywhere).run();
    let (mut answered, mut late) = (0, 0);
    for done in &ran.done {
        match done.outcome {
            Outcome::Answered => answered += 1,
            Outcome::TimedOut => {
                late += 1;
                assert_eq!(done.micros, 500_000);
            }
            other => panic!("{other:?}"),
        }
    }
    // Three times what it can do; were nothing given up, nobody would get an answer after the first seconds.
    assert!(answered > 300 && late > 500, "{answered} {late}");
}

#[test]
fn a_failed_call_is_tried_again_within_the_budget() {
    let config = |retry| Config {
        failing: 0.5,
        retry,
        end: Time::from_secs_f64(100.0),
        warm: Time::START,
        ..queues(4, 0.3, Work::Fixed(0.01))
    };
    let ratio = |retry| {
        let counts = World::new(config(retry), &anywhere).run().counts;
        counts.attempts[0] as f64 / counts.calls[0] as f64
    };
    // 120 calls in a second: a tenth of them and ten more.
    let budgeted = ratio(RetryConfig::BUDGETED);
    assert!((budgeted - 1.18).abs() < 0.03, "{budgeted}");
    // 1 + 1/2 + 1/4.
    let free = RetryConfig {
        ratio: f64::INFINITY,
        ..RetryConfig::BUDGETED
    };
    let free = ratio(free);
    assert!((free - 1.75).abs() < 0.03, "{free}");
    assert!((ratio(RetryConfig::OFF) - 1.0).abs() < 1e-9);
}

#[test]
fn deadlines_reach_the_services_below() {
    // Each of three services takes 0.1 s; calls may take 0.25 s.
    let service = |next: Vec<usize>| Service {
        servers: vec![ServerConfig::default()],
        work: Work::Fixed(0.1),
        next,
    };
    let config = Config {
        services: vec![service(vec![1]), service(vec![2]), service(vec![])],
        rate: 1.0,
        end: Time::from_secs_f64(50.0),
        warm: Time::START,
        timeout: 0.25,
        delay: 0.001,
        ..Config::default()
    };
    let ran = World::new(config, &anywhere).run();
    assert!(ran.done.iter().all(|done| done.outcome != Outcome::Answered));
    assert_eq!(ran.counts.calls[0], ran.counts.calls[2]);
    // The last service stops in the middle: it is told, and never serves a call that nobody waits for.
    assert_eq!(ran.counts.late, 0);
}
