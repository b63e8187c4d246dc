//! One run: a fleet, a client, and calls at a fixed rate while an instance falls sick and gets well again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rpc::{Client, Result};

use super::{
    balancers::Choose,
    figures::{Done, End, Recovery, Times},
    fleet::{Answer, Fault, Fleet, Instance as _, InstanceClient},
};
use crate::{
    hop,
    open::{self, Schedule},
    shape::Shape,
    usage::Usage,
};

/// Calls that are due each second: a tenth of the time of each instance's.
pub(super) const RATE: u32 = 2000;

/// How long calls do not count at first, and how long they do before the fault and after it.
const WARM: Duration = Duration::from_secs(1);
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(2);

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Framed,
    Grpc,
}

pub(super) const PROTOCOLS: [Protocol; 2] = [Protocol::Framed, Protocol::Grpc];

impl Protocol {
    /// The subject whose rows these are.
    pub(super) fn subject(self) -> &'static str {
        match self {
            Self::Framed => "rpc-framed",
            Self::Grpc => "rpc-grpc",
        }
    }
}

/// What a fault does to a client with this balancer.
pub(super) fn run(shape: Shape, protocol: Protocol, choose: Choose, fault: Fault) -> Recovery {
    let runtimes = shape.runtimes();
    let runtime = runtimes.client();
    let mut fleet = runtimes.server().block_on(Fleet::start());
    let client = runtime.block_on(async {
        let client = Client::builder()
            .target(fleet.target())
            .prefer_framed(protocol == Protocol::Framed);
        let client = choose(client).build().expect("a client");
        client.ready().await.expect("a connection");
        client
    });
    let stub = InstanceClient::new(&client);
    let times = times(fault);
    let calls = RATE as usize * times.end.as_secs() as usize;
    let done = Arc::new(Mutex::new(Vec::with_capacity(calls)));
    let before = hop::round_trip_ns();
    let usage = Usage::now();
    open::on_a_thread(|| {
        let schedule = Schedule::new(Instant::now(), RATE);
        let mut turns = [(times.sick, Some(fault)), (times.healed, None)]
            .into_iter()
            .peekable();
        open::pace(runtime, &schedule, times.end, |due| {
            let at = due - schedule.start;
            if let Some((_, fault)) = turns.next_if(|(when, _)| *when <= at) {
                runtimes.server().block_on(turn(&mut fleet, fault));
            }
            let (stub, done) = (stub.clone(), Arc::clone(&done));
            async move {
                let answer = stub.work().await;
                let ended = Done {
                    due: at,
                    latency: due.elapsed(),
                    end: end(&answer),
                };
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push(ended);
            }
        });
    });
    let others = Usage::now().others_since(usage);
    let hops = before.zip(hop::round_trip_ns());
    let done = done.lock().unwrap_or_else(PoisonError::into_inner);
    Recovery {
        others,
        moved: hops.is_some_and(|(before, after)| hop::differ(before, after)),
        ..Recovery::of(&done, &times)
    }
}

fn times(fault: Fault) -> Times {
    let sick = WARM + BEFORE;
    let healed = sick + fault.lasts();
    Times {
        healthy: WARM,
        sick,
        healed,
        end: healed + AFTER,
    }
}

async fn turn(fleet: &mut Fleet, fault: Option<Fault>) {
    match fault {
        Some(fault) => fleet.fall_sick(fault).await,
        None => fleet.heal().await,
    }
}

fn end(answer: &Result<Answer>) -> End {
    match answer {
        Ok(answer) if answer.is_from_the_sick_one() => End::SickOne,
        Ok(_) => End::Elsewhere,
        Err(_) => End::Failed,
    }
}
