//! What endpoints report of their load.

use std::time::Duration;

use bytes::Bytes;
use rpc_core::{
    Body, Reply,
    load::{LoadReport, TRAILER},
};
use tokio::time::Instant;

use crate::fleet::{Fleet, address};

fn report(cpu: f64) -> Bytes {
    let mut report = LoadReport::new();
    report.set_cpu_utilization(cpu).unwrap();
    report.set_rps(100.0).unwrap();
    report.encode()
}

/// An endpoint whose answers carry a trailer.
async fn reporting(bytes: Bytes) -> Fleet {
    let (fleet, registrations) = Fleet::new().with(1).await;
    std::mem::forget(registrations);
    fleet.until_ready(1).await;
    answer_with(&fleet, bytes);
    fleet
}

fn answer_with(fleet: &Fleet, bytes: Bytes) {
    fleet.transport.of(&address(0)).answer(move || {
        let mut reply = Reply::new(Body::Empty);
        reply.trailers.insert_bin(TRAILER, bytes.clone()).unwrap();
        reply
    });
}

fn cpu(fleet: &Fleet) -> Option<(f32, Duration)> {
    let endpoint = fleet.endpoint(0);
    let (reported, age) = endpoint.stats().reported(Instant::now())?;
    Some((reported.cpu, age))
}

#[tokio::test(start_paused = true)]
async fn trailers_are_heard_and_age() {
    let fleet = reporting(report(0.25)).await;
    assert_eq!(cpu(&fleet), None);
    fleet.call().await.unwrap();
    assert_eq!(cpu(&fleet), Some((0.25, Duration::ZERO)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(cpu(&fleet), Some((0.25, Duration::from_secs(3))));
    // The same again is as new as another one.
    fleet.call().await.unwrap();
    assert_eq!(cpu(&fleet), Some((0.25, Duration::ZERO)));
    answer_with(&fleet, report(0.5));
    fleet.call().await.unwrap();
    assert_eq!(cpu(&fleet), Some((0.5, Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn failures_report_as_well() {
    let fleet = reporting(Bytes::new()).await;
    fleet.transport.of(&address(0)).behave(|_| {
        let mut status = super::broken();
        status.metadata_mut().insert_bin(TRAILER, report(0.75)).unwrap();
        Err(status)
    });
    let _ = fleet.call().await.unwrap_err();
    assert_eq!(cpu(&fleet), Some((0.75, Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_no_report_and_no_failure() {
    let fleet = reporting(Bytes::from_static(b"\xff\xff\xff")).await;
    fleet.call().await.unwrap();
    assert_eq!(cpu(&fleet), None);
}
