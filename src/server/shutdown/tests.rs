//! The order and the times of a stop, on a clock that stands still.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use rpc_core::transport::{Drain, DrainPhase};
use rpc_registry::{Instance as Registered, InstanceHandle};
use tokio::{task::JoinSet, time::Instant};

use super::{LAST_MOMENT, Stop, Times};
use crate::server::{HealthReporter, ServerHandle, ServingStatus, announce::Announced};

const TIMES: Times = Times {
    notice: Duration::from_secs(3),
    grace: Duration::from_secs(20),
    stream_grace: Duration::from_secs(5),
};

/// What the connections saw, and at which second of the stop.
type Seen = Arc<Mutex<Vec<(DrainPhase, u64)>>>;

struct Bench {
    times: Times,
    handle: ServerHandle,
    health: HealthReporter,
    seen: Seen,
    start: Instant,
    /// A registry does not let go of the server.
    is_held: bool,
}

impl Bench {
    fn new() -> Self {
        Self {
            times: TIMES,
            handle: ServerHandle::new(),
            health: HealthReporter::new(),
            seen: Seen::default(),
            start: Instant::now(),
            is_held: false,
        }
    }

    fn announced(&self) -> Option<Announced> {
        let mut announced = Announced {
            instance: InstanceHandle::new(Registered::new("a")),
            announcers: JoinSet::new(),
            stand_ins: Vec::new(),
            outward: |_| None,
        };
        announced.announcers.spawn(std::future::pending());
        self.is_held.then_some(announced)
    }

    /// Stops a server whose last connection ends once a phase is reached; with `None` it never does.
    async fn stop(&self, last_connection_ends_at: Option<DrainPhase>) -> u64 {
        let (drain_handle, drain) = Drain::new();
        let serving = async {
            for phase in [
                DrainPhase::Draining,
                DrainPhase::EndingStreams,
                DrainPhase::Cancelling,
            ] {
                drain.clone().reached(phase).await;
                self.seen.lock().unwrap().push((phase, self.seconds()));
                if last_connection_ends_at == Some(phase) {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        let stop = Stop {
            times: self.times,
            handle: &self.handle,
            health: &self.health,
            drain: &drain_handle,
            announced: self.announced(),
        };
        stop.run(pin!(serving)).await;
        self.seconds()
    }

    fn seconds(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    fn seen(&self) -> Vec<(DrainPhase, u64)> {
        self.seen.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn each_phase_has_its_time() {
    let bench = Bench::new();
    let end = bench.stop(None).await;
    let expected = [
        (DrainPhase::Draining, 3),
        (DrainPhase::EndingStreams, 8),
        (DrainPhase::Cancelling, 23),
    ];
    assert_eq!(bench.seen(), expected);
    assert_eq!(end, 23 + LAST_MOMENT.as_secs());
}

/// 8 s is what a registry may take by the documentation.
#[tokio::test(start_paused = true)]
async fn a_registry_that_never_lets_go_does_not_keep_it_from_draining() {
    let bench = Bench {
        is_held: true,
        ..Bench::new()
    };
    let stop = bench.stop(Some(DrainPhase::EndingStreams));
    let end = tokio::time::timeout(Duration::from_hours(1), stop).await;
    assert_eq!(end.expect("the stop hangs"), 8 + 5);
    assert_eq!(
        bench.seen(),
        [(DrainPhase::Draining, 8), (DrainPhase::EndingStreams, 13)]
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_over_with_the_last_connection() {
    for (phase, end) in [
        (DrainPhase::Draining, 3),
        (DrainPhase::EndingStreams, 8),
        (DrainPhase::Cancelling, 23),
    ] {
        assert_eq!(Bench::new().stop(Some(phase)).await, end);
    }
}

#[tokio::test(start_paused = true)]
async fn times_without_end_are_waited_out() {
    let bench = Bench {
        times: Times {
            notice: Duration::ZERO,
            grace: Duration::MAX,
            stream_grace: Duration::MAX,
        },
        ..Bench::new()
    };
    let hurries = async {
        tokio::time::sleep(Duration::from_hours(24)).await;
        assert_eq!(bench.seen(), [(DrainPhase::Draining, 0)]);
        bench.handle.shutdown_now();
    };
    tokio::join!(bench.stop(Some(DrainPhase::Cancelling)), hurries);
}

#[tokio::test(start_paused = true)]
async fn health_says_so_before_anything_else() {
    let bench = Bench::new();
    let looks = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(bench.health.get(""), Some(ServingStatus::NotServing));
        assert_eq!(bench.seen(), []);
    };
    tokio::join!(bench.stop(Some(DrainPhase::Draining)), looks);
}

#[tokio::test(start_paused = true)]
async fn a_hurry_skips_what_is_left() {
    for (after, seen) in [
        (
            0,
            vec![
                (DrainPhase::Draining, 0),
                (DrainPhase::EndingStreams, 0),
                (DrainPhase::Cancelling, 0),
            ],
        ),
        (
            4,
            vec![
                (DrainPhase::Draining, 3),
                (DrainPhase::EndingStreams, 4),
                (DrainPhase::Cancelling, 4),
            ],
        ),
    ] {
        let bench = Bench::new();
        let hurries = async {
            tokio::time::sleep(Duration::from_secs(after)).await;
            bench.handle.shutdown_now();
        };
        let (end, ()) = tokio::join!(bench.stop(Some(DrainPhase::Cancelling)), hurries);
        assert_eq!(end, after);
        assert_eq!(bench.seen(), seen);
    }
}
