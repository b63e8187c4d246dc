//! Shares of the requests for several versions.

use rpc_core::{
    Call, Stage as _,
    matcher::{Condition, Matcher, Predicate, RequestKey, Subject},
    status::reason,
};
use rpc_lb::{
    PercentageRouter,
    route::{Destination, DrawKeyLayer, TargetMatcher, percentage::PercentageRule},
};
use rpc_registry::Instance;
use tower_layer::Layer as _;

use super::fleet;
use crate::fleet::{Fleet, address, call, call_with, instance, refusal};

fn version(version: &str) -> TargetMatcher {
    TargetMatcher::new().with_version(Predicate::equals(version))
}

/// So many of a hundred go to version 2.
fn canary(percent: u32, by: Option<Subject>) -> PercentageRule {
    let destinations = [("2", percent), ("1", 100 - percent)].map(|(name, weight)| Destination {
        weight,
        to: version(name),
    });
    PercentageRule::new("canary", Matcher::every(), by, destinations).unwrap()
}

/// 0 and 1 are version 1, 2 is version 2.
fn instances() -> Vec<Instance> {
    (0..3)
        .map(|n| instance(n).with_version(if n < 2 { "1" } else { "2" }))
        .collect()
}

fn is_canary(fleet: &Fleet, call: &Call<'_>) -> bool {
    let subset = fleet.endpoints.snapshot().subset_for(call);
    subset.endpoints()[0].instance().version.as_deref() == Some("2")
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_requests_goes_to_the_canary() {
    fastrand::seed(1);
    let router = PercentageRouter::new([canary(5, None)]).unwrap();
    let (fleet, _registrations) = fleet(router, instances()).await;
    let tally = fleet.tally(100_000).await;
    assert!((4_500..5_500).contains(&tally[&address(2)]), "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn attempts_of_one_call_stay() {
    fastrand::seed(2);
    let router = PercentageRouter::new([canary(50, None)]).unwrap();
    let (fleet, _registrations) = fleet(router, instances()).await;
    for _ in 0..100 {
        let mut call = call();
        RequestKey::draw(&mut call);
        let first = is_canary(&fleet, &call);
        for _ in 0..10 {
            assert_eq!(is_canary(&fleet, &call), first);
        }
    }
    // What the canary refuses does not go to the other version: there is no other one of its own.
    fleet.transport.of(&address(2)).behave(|_| Err(refusal()));
    let stage = DrawKeyLayer::new(true).layer(&fleet.pick);
    let mut refused = 0;
    for _ in 0..200 {
        match stage.call(&mut call()).await {
            Ok(reply) => assert_ne!(reply.peer.unwrap().to_string(), address(2)),
            Err(status) => {
                assert_eq!(status.reason(), Some(reason::DRAINING));
                refused += 1;
            }
        }
    }
    assert!((50..150).contains(&refused), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_value_sticks_also_when_the_share_grows() {
    let by = || Some(Subject::Metadata("x-user".into()));
    let small = PercentageRouter::new([canary(5, by())]).unwrap();
    let large = PercentageRouter::new([canary(30, by())]).unwrap();
    let (small, _small) = fleet(small, instances()).await;
    let (large, _large) = fleet(large, instances()).await;
    let mut counts = (0, 0);
    for user in 0..10_000 {
        let call = call_with("x-user", &format!("user-{user}"));
        let was = is_canary(&small, &call);
        let is = is_canary(&large, &call);
        assert!(is || !was, "user {user} went back");
        counts = (counts.0 + u32::from(was), counts.1 + u32::from(is));
    }
    assert!((400..600).contains(&counts.0), "{counts:?}");
    assert!((2_800..3_200).contains(&counts.1), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_stood_in_for_unless_forced() {
    fastrand::seed(3);
    let when = Matcher::new([Condition::metadata("x-forced", Predicate::exists())]).unwrap();
    let only = [Destination {
        weight: 1,
        to: version("2"),
    }];
    let forced = PercentageRule::new("forced", when, None, only)
        .unwrap()
        .with_force(true);
    let router = PercentageRouter::new([forced, canary(50, None)]).unwrap();
    let (fleet, mut registrations) = fleet(router, instances()).await;
    assert_eq!(
        fleet.answers(&mut call_with("x-forced", "1")).await.unwrap(),
        address(2)
    );
    registrations.pop().unwrap().withdraw().await.unwrap();
    fleet.until_ready(2).await;
    let tally = fleet.tally(100).await;
    assert_eq!(tally.values().sum::<usize>(), 100);
    let nobody = fleet.answers(&mut call_with("x-forced", "1")).await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert!(nobody.message().contains("rule `forced`"), "{nobody}");
}

#[test]
fn rules_are_read_written_and_checked() {
    let json = r#"{"name": "canary", "by": {"metadata": "x-user"}, "split": [
        {"weight": 5, "to": {"version": "v2"}}, {"weight": 95, "to": {"version": "v1"}}]}"#;
    let rule: PercentageRule = serde_json::from_str(json).unwrap();
    assert_eq!(
        rule,
        serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap()
    );
    let error = |json: &str| {
        serde_json::from_str::<PercentageRule>(json)
            .unwrap_err()
            .to_string()
    };
    assert!(error(r#"{"name": "x"}"#).contains("missing field `split`"));
    assert!(
        error(r#"{"name": "x", "split": [{"weight": 1, "to": {"metadata": {"": "a"}}}]}"#)
            .contains("`split[0].to.metadata`: a key has 1 to 256 bytes")
    );
    assert!(error(r#"{"name": "x", "split": [{"weight": -1, "to": {}}]}"#).contains("invalid value"));
}
