//! Which lane a request ends up in.

use std::{collections::HashMap, sync::Arc};

use rpc_core::{Context, Status, context::Lane, status::reason, transport::LinkState};
use rpc_lb::{
    EndpointsConfig, LaneRouter,
    route::lane::{Fallback, LaneFallbacks},
};

use rpc_registry::Registration;

use crate::fleet::{FakeTransport, Fleet, address, instance};

fn lane(name: &str) -> Lane {
    Lane::new(name).unwrap()
}

fn config(router: LaneRouter) -> EndpointsConfig {
    let mut config = crate::fleet::in_turn();
    config.routers = vec![Arc::new(router)];
    config
}

async fn goes_to(fleet: &Fleet, in_lane: Option<&str>) -> Result<String, Status> {
    fleet.call_in(Context::new().with_lane(in_lane.map(lane))).await
}

/// 0 and 1 in the base lane, 2 in green, 3 in blue.
async fn fleet(router: LaneRouter, transport: FakeTransport) -> (Fleet, Vec<Box<dyn Registration>>) {
    let fleet = Fleet::routed(transport, config(router));
    let mut registrations = Vec::new();
    for (n, of) in [None, None, Some("green"), Some("blue")].into_iter().enumerate() {
        registrations.push(fleet.announce(&instance(n).with_lane(of.map(lane))).await);
    }
    (fleet, registrations)
}

#[tokio::test(start_paused = true)]
async fn each_stays_in_its_lane() {
    let (fleet, _registrations) = fleet(LaneRouter::new(), FakeTransport::default()).await;
    fleet.until_ready(4).await;
    for _ in 0..10 {
        assert_eq!(goes_to(&fleet, Some("green")).await.unwrap(), address(2));
        assert_eq!(goes_to(&fleet, Some("blue")).await.unwrap(), address(3));
    }
    let base: HashMap<_, usize> = fleet.tally(100).await;
    assert_eq!(base, HashMap::from([(address(0), 50), (address(1), 50)]));
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_endpoints_falls_back() {
    let rule = LaneFallbacks::new()
        .with_lane(
            lane("red"),
            [
                Fallback::Lane(lane("orange")),
                Fallback::Lane(lane("blue")),
                Fallback::Base,
            ],
        )
        .with_lane(lane("strict"), []);
    let router = LaneRouter::with_fallbacks(rule).unwrap();
    let (fleet, mut registrations) = fleet(router, FakeTransport::default()).await;
    fleet.until_ready(4).await;
    assert_eq!(goes_to(&fleet, Some("red")).await.unwrap(), address(3));
    let base = goes_to(&fleet, Some("unheard-of")).await.unwrap();
    assert!([address(0), address(1)].contains(&base));

    let nobody = goes_to(&fleet, Some("strict")).await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert!(!nobody.was_processed());
    assert!(
        nobody
            .message()
            .contains("router `lane` left none of 4 endpoints"),
        "{nobody}"
    );

    registrations.pop().unwrap().withdraw().await.unwrap();
    fleet.until(|snapshot| snapshot.counts().ready == 3).await;
    let base = goes_to(&fleet, Some("red")).await.unwrap();
    assert!([address(0), address(1)].contains(&base));
}

#[tokio::test(start_paused = true)]
async fn a_base_request_never_enters_a_lane() {
    let fleet = Fleet::routed(FakeTransport::default(), config(LaneRouter::new()));
    let _green = fleet.announce(&instance(0).with_lane(lane("green"))).await;
    fleet.until(|snapshot| snapshot.counts().ready == 1).await;
    let nobody = goes_to(&fleet, None).await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert_eq!(goes_to(&fleet, Some("green")).await.unwrap(), address(0));
}

#[tokio::test(start_paused = true)]
async fn who_connects_is_waited_for_and_who_cannot_be_reached_is_not() {
    let (fleet, _registrations) = fleet(LaneRouter::new(), FakeTransport::by_hand()).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 4).await;
    for n in [0, 1, 3] {
        fleet.transport.of(&address(n)).set(LinkState::Ready);
    }
    fleet.until_ready(3).await;

    let green = fleet.transport.of(&address(2));
    let waits = goes_to(&fleet, Some("green"));
    let connects = async { green.set(LinkState::Ready) };
    let (went, ()) = tokio::join!(biased; waits, connects);
    assert_eq!(went.unwrap(), address(2));

    green.set(LinkState::Failing(Status::unavailable("refused")));
    fleet.until(|snapshot| snapshot.counts().failing == 1).await;
    assert_ne!(goes_to(&fleet, Some("green")).await.unwrap(), address(2));
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let itself = LaneFallbacks::new().with_lane(lane("red"), [Fallback::Base, Fallback::Lane(lane("red"))]);
    let error = LaneRouter::with_fallbacks(itself).unwrap_err();
    assert_eq!(error.to_string(), "`lanes.red[1]` is the lane itself");

    let parse = |json: &str| serde_json::from_str::<LaneFallbacks>(json);
    assert_eq!(
        parse(r#"{"lanes": {"red": ["blue", "base"]}}"#).unwrap(),
        LaneFallbacks::new().with_lane(lane("red"), [Fallback::Lane(lane("blue")), Fallback::Base])
    );
    assert!(
        parse(r#"{"lanes": {"red": ["base", "base"]}}"#)
            .unwrap_err()
            .to_string()
            .contains("`lanes.red[1]` stands there twice")
    );
    assert!(parse(r#"{"lanes": {"no lane": []}}"#).is_err());
    assert!(
        parse(r#"{"fallback": []}"#)
            .unwrap_err()
            .to_string()
            .contains("unknown field")
    );
}
