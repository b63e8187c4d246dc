//! A -> B -> C, with a base lane and two others; C is missing in one of them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rpc::{Context, prelude::*, registry::Amendment};

use super::support::{Hop as _, HopClient, Running, Wire, client, lane, note, start, until_way, way};

/// All of it but `c@blue`.
async fn fleet(memory: &MemoryRegistry, wire: Wire) -> Vec<Running> {
    let mut running = Vec::new();
    for (service, next) in [("a", Some("b")), ("b", Some("c")), ("c", None)] {
        for of in [None, Some("green"), Some("blue")] {
            if (service, of) != ("c", Some("blue")) {
                running.push(start(memory, service, of, next, wire).await);
            }
        }
    }
    running
}

async fn each_request_stays_in_its_lane(wire: Wire) {
    let memory = MemoryRegistry::new();
    let running = fleet(&memory, wire).await;
    let a = HopClient::new(client(&memory, "a", wire));

    until_way(&a, None, &["a@base", "b@base", "c@base"]).await;
    until_way(&a, Some("green"), &["a@green", "b@green", "c@green"]).await;
    until_way(&a, Some("blue"), &["a@blue", "b@blue", "c@base"]).await;
    for _ in 0..50 {
        assert_eq!(way(&a, None).await.unwrap(), ["a@base", "b@base", "c@base"]);
        assert_eq!(
            way(&a, Some("green")).await.unwrap(),
            ["a@green", "b@green", "c@green"]
        );
        assert_eq!(
            way(&a, Some("blue")).await.unwrap(),
            ["a@blue", "b@blue", "c@base"]
        );
        // A lane that nobody serves.
        assert_eq!(
            way(&a, Some("red")).await.unwrap(),
            ["a@base", "b@base", "c@base"]
        );
    }
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn each_request_stays_in_its_lane_over_grpc() {
    each_request_stays_in_its_lane(Wire::Grpc).await;
}

#[tokio::test]
async fn each_request_stays_in_its_lane_over_framed() {
    each_request_stays_in_its_lane(Wire::Framed).await;
}

async fn no_call_fails_while_lanes_come_and_go(wire: Wire) {
    let memory = MemoryRegistry::new();
    let mut running = fleet(&memory, wire).await;
    let a = HopClient::new(client(&memory, "a", wire));
    until_way(&a, Some("blue"), &["a@blue", "b@blue", "c@base"]).await;

    // Load in all lanes, all the time.
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = [None, Some("green"), Some("blue")]
        .into_iter()
        .map(|of| {
            let (a, stop, calls) = (a.clone(), Arc::clone(&stop), Arc::clone(&calls));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let way = way(&a, of).await.expect("no call fails");
                    let own = of.unwrap_or("base");
                    for hop in way {
                        let at = hop.split_once('@').unwrap().1;
                        assert!(at == own || at == "base", "{hop} in {own}");
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    // C joins blue.
    let blue = start(&memory, "c", Some("blue"), None, wire).await;
    until_way(&a, Some("blue"), &["a@blue", "b@blue", "c@blue"]).await;
    // B leaves green.
    let green_b = running.remove(4);
    green_b.stop().await;
    until_way(&a, Some("green"), &["a@green", "b@base", "c@green"]).await;
    // C of blue moves to a lane that nobody asks for.
    blue.instance.amend(&Amendment::new().with_lane(lane("red")));
    until_way(&a, Some("blue"), &["a@blue", "b@blue", "c@base"]).await;
    // B is back in green.
    running.push(start(&memory, "b", Some("green"), Some("c"), wire).await);
    until_way(&a, Some("green"), &["a@green", "b@green", "c@green"]).await;

    stop.store(true, Ordering::Relaxed);
    for load in load {
        load.await.unwrap();
    }
    assert!(calls.load(Ordering::Relaxed) > 0);
    blue.stop().await;
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn no_call_fails_while_lanes_come_and_go_over_grpc() {
    no_call_fails_while_lanes_come_and_go(Wire::Grpc).await;
}

#[tokio::test]
async fn no_call_fails_while_lanes_come_and_go_over_framed() {
    no_call_fails_while_lanes_come_and_go(Wire::Framed).await;
}

#[tokio::test]
async fn background_work_stays_in_the_lane_that_it_is_put_into() {
    let memory = MemoryRegistry::new();
    let running = fleet(&memory, Wire::Grpc).await;
    let a = HopClient::new(client(&memory, "a", Wire::Grpc));
    until_way(&a, Some("green"), &["a@green", "b@green", "c@green"]).await;

    let nightly = Context::new().with_lane(lane("green")).enter(|| {
        let a = a.clone();
        rpc::spawn(async move { a.visit(note()).await })
    });
    let way = nightly.await.unwrap().unwrap().unwrap();
    assert_eq!(way, ["a@green", "b@green", "c@green"]);
    for running in running {
        running.stop().await;
    }
}
