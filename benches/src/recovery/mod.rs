//! One of ten instances falls sick: how soon is a client well again?
//!
//! The question of `cargo xtask sim --scenario recovery`, over real sockets: servers of ours on loopback, a client with the
//! defaults but for its balancer, and calls in an open loop, so that those count that a slow instance holds up. There the time
//! is virtual, the fleets are large and the figures repeat; here connections are lost and made again, and the figures are of this
//! machine. Handlers sleep for most of a call, so that the machine is not what is measured.
//!
//! The client has **recovered** once, for a second, the 99th percentile of each half second is within 1.5 times of what it was,
//! and at most one call in a hundred fails.

mod balancers;
mod drive;
mod figures;
mod fleet;

pub(crate) use self::{
    balancers::DEFAULT,
    figures::{Phase, Recovery},
};
use self::{
    drive::{PROTOCOLS, RATE},
    fleet::{Fault, INSTANCES},
};
use crate::{
    cell::{Cell, PLAIN, Scenario},
    options::Options,
    record::Record,
    shape::Shape,
};

/// Within how many seconds the default balancer is to have recovered.
pub(crate) const SOON: f64 = 10.0;

/// Measures each protocol with each balancer and each fault, once: a run has thousands of calls.
pub(crate) fn run(build: &str, options: &Options) -> Vec<Record> {
    if build != PLAIN {
        return Vec::new();
    }
    let cell = Cell {
        shape: Shape::Shared,
        scenario: Scenario::Recovery,
        payload: 0,
        concurrency: 0,
    };
    let mut records = Vec::new();
    for protocol in PROTOCOLS {
        for (balancer, make) in balancers::ALL {
            for fault in Fault::ALL {
                let name = format!("{} {} {balancer}", cell.scenario.name(), fault.name());
                let is_other = |wanted: &String| wanted != protocol.subject();
                if !options.wants(&name) || options.subject.as_ref().is_some_and(is_other) {
                    continue;
                }
                eprintln!("{build}: {name}, {}", protocol.subject());
                let found = drive::run(cell.shape, protocol, make, fault);
                records.push(Record {
                    rate: Some(RATE),
                    endpoints: Some(INSTANCES),
                    recovery: Some(Recovery {
                        balancer: balancer.to_owned(),
                        fault: fault.name().to_owned(),
                        ..found
                    }),
                    ..Record::new(build, &cell, protocol.subject())
                });
            }
        }
    }
    records
}
