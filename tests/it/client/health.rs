//! Endpoints that fare badly, over real sockets.

use std::{collections::BTreeSet, time::Duration};

use rpc::{
    lb::health::{EjectReason, Sickness},
    prelude::*,
    status::Verdict,
};
use tokio::time::{sleep, timeout};

use super::support::{Echo, EchoClient, LONG, Running};

/// In these tests an error of the application's says that the endpoint is broken.
fn strict(result: Result<(), &Status>) -> Verdict {
    match result {
        Err(status) if status.code() == Code::FailedPrecondition => Verdict::Failed,
        other => Verdict::of(other),
    }
}

#[tokio::test]
async fn what_counts_as_a_failure_is_the_users_to_say() {
    let memory = MemoryRegistry::new();
    let mut running = Vec::new();
    for name in ["a", "b", "c"] {
        running.push(Running::announced(name, &memory).await);
    }
    let builder = || {
        Client::builder()
            .target("memory:///echo")
            .registry(memory.clone())
            .wait_for_ready(true)
    };
    let usual = builder().build().unwrap();
    let client = builder().classify(strict).build().unwrap();
    for client in [&usual, &client] {
        let all = async {
            client.ready().await.unwrap();
            while client.endpoints().snapshot().ready().len() < 3 {
                sleep(Duration::from_millis(1)).await;
            }
            for _ in 0..15 {
                let _ = EchoClient::new(client).fail("no".to_owned()).await.unwrap_err();
            }
        };
        timeout(LONG, all).await.unwrap();
    }

    // All three have failed five times in a row, and one of three may be ejected.
    let ejected = async {
        while client.endpoints().snapshot().counts().sick < 1 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, ejected).await.expect("none was ejected");
    let view = client.endpoints().view();
    let reasons: Vec<_> = view
        .iter()
        .filter_map(|view| match view.sickness {
            Some(Sickness::Ejected(ejection)) => Some(ejection.reason),
            _ => None,
        })
        .collect();
    // More than five, where calls went on until somebody looked.
    assert!(
        matches!(reasons[..], [EjectReason::ConsecutiveFailures(5..)]),
        "{reasons:?}"
    );
    let mut names = BTreeSet::new();
    for _ in 0..20 {
        names.insert(EchoClient::new(&client).name().await.unwrap());
    }
    assert!(names.len() < 3, "{names:?}");
    assert_eq!(usual.endpoints().snapshot().counts().sick, 0);
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_is_in_flight_until_it_is_dropped() {
    let memory = MemoryRegistry::new();
    let running = Running::announced("a", &memory).await;
    let client = Client::builder()
        .target("memory:///echo")
        .registry(memory)
        .wait_for_ready(true)
        .build()
        .unwrap();
    let in_flight = || client.endpoints().view()[0].in_flight;
    let mut numbers = EchoClient::new(&client).drip(1).await.unwrap();
    numbers.message().await.unwrap();
    assert_eq!(in_flight(), 1);
    assert_eq!(EchoClient::new(&client).name().await.unwrap(), "a");
    assert_eq!(in_flight(), 1);
    drop(numbers);
    assert_eq!(in_flight(), 0);
    running.stop().await.unwrap();
}
