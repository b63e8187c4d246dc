//! Requests with a tag.

use std::{collections::BTreeMap, sync::Arc};

use rpc_core::{Status, matcher::Predicate, status::reason};
use rpc_lb::{
    Balancer, FixedEndpoints, TagRouter,
    balance::{Orca, OrcaConfig, RoundRobin, Weighted},
    route::{TargetMatcher, tag::TagConfig},
};

use tokio::time::Instant;

use super::fleet;
use crate::fleet::{Fleet, address, call, call_with, in_turn, instance};

async fn tagged(fleet: &Fleet, tag: &str) -> Result<String, Status> {
    fleet.answers(&mut call_with("dubbo.tag", tag)).await
}

async fn forced(fleet: &Fleet, tag: &str) -> Result<String, Status> {
    let mut call = call_with("dubbo.tag", tag);
    call.metadata.insert("dubbo.force.tag", "true").unwrap();
    fleet.answers(&mut call).await
}

#[tokio::test(start_paused = true)]
async fn a_tag_goes_to_who_has_it_by_record() {
    let instances = [instance(0), instance(1).with_metadata("dubbo.tag", "gray")];
    let (fleet, mut registrations) = fleet(TagRouter::new(), instances).await;
    for _ in 0..4 {
        assert_eq!(tagged(&fleet, "gray").await.unwrap(), address(1));
        assert_eq!(forced(&fleet, "gray").await.unwrap(), address(1));
        assert_eq!(fleet.answers(&mut call()).await.unwrap(), address(0));
        // Nobody has it.
        assert_eq!(tagged(&fleet, "blue").await.unwrap(), address(0));
    }
    let nobody = forced(&fleet, "blue").await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert!(!nobody.was_processed());
    assert!(
        nobody.message().contains("router `tag` left none of 2"),
        "{nobody}"
    );

    registrations.pop().unwrap().withdraw().await.unwrap();
    fleet.until_ready(1).await;
    assert_eq!(tagged(&fleet, "gray").await.unwrap(), address(0));
    assert!(forced(&fleet, "gray").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_tag_never_gets_to_a_tagged_instance() {
    let (fleet, _registrations) =
        fleet(TagRouter::new(), [instance(0).with_metadata("dubbo.tag", "gray")]).await;
    let nobody = fleet.answers(&mut call()).await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert_eq!(tagged(&fleet, "gray").await.unwrap(), address(0));
}

#[test]
fn calls_that_alternate_between_a_tag_and_none_reach_every_instance() {
    let balancers: [Arc<dyn Balancer>; 3] = [
        Arc::new(RoundRobin::starting_at(0)),
        Arc::new(Weighted::starting_at(0)),
        Arc::new(Orca::new(OrcaConfig::default()).unwrap()),
    ];
    let instances = [0, 1, 2, 3].map(|n| match n {
        0 | 1 => Arc::new(instance(n)),
        _ => Arc::new(instance(n).with_metadata("dubbo.tag", "gray")),
    });
    for balancer in balancers {
        let mut config = in_turn();
        config.balancer = Arc::clone(&balancer);
        config.routers = vec![Arc::new(TagRouter::new())];
        let now = Instant::now();
        let endpoints = FixedEndpoints::new(&instances, config, now);
        let mut tally = BTreeMap::new();
        for _ in 0..100 {
            for call in [call(), call_with("dubbo.tag", "gray")] {
                let picked = endpoints.pick(&call, now, &[]).unwrap();
                *tally.entry(picked.endpoint.id().to_string()).or_insert(0) += 1;
            }
        }
        let counts: Vec<i32> = tally.into_values().collect();
        assert_eq!(counts, [50; 4], "{}", balancer.name());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_says_who_has_a_tag() {
    let at = |network: &str| TargetMatcher::new().with_address(Predicate::cidr([network]).unwrap());
    let config = TagConfig::new()
        .with_tag("gray", at("10.0.0.0"))
        .with_tag("nobody's", at("192.168.0.0/16"))
        .with_force(true);
    let instances = [
        instance(0).with_metadata("role", "x"),
        instance(1000),
        // The rule for `gray` stands above what records say of it.
        instance(2000).with_metadata("dubbo.tag", "gray"),
        instance(3000).with_metadata("dubbo.tag", "blue"),
    ];
    let (fleet, _registrations) = fleet(TagRouter::with_config(config).unwrap(), instances).await;
    for _ in 0..4 {
        assert_eq!(tagged(&fleet, "gray").await.unwrap(), address(0));
        assert_eq!(tagged(&fleet, "blue").await.unwrap(), address(3000));
        assert_eq!(fleet.answers(&mut call()).await.unwrap(), address(1000));
    }
    // Known by a rule, and forced by its settings; another one is not.
    assert!(tagged(&fleet, "nobody's").await.is_err());
    assert_eq!(tagged(&fleet, "unheard-of").await.unwrap(), address(1000));
}

#[tokio::test(start_paused = true)]
async fn foreign_tags_make_no_outcomes_of_their_own() {
    let (fleet, _registrations) = fleet(TagRouter::new(), [instance(0), instance(1)]).await;
    let snapshot = fleet.endpoints.snapshot();
    let plain = snapshot.subset_for(&call());
    for n in 0..10_000 {
        let subset = snapshot.subset_for(&call_with("dubbo.tag", &format!("tag-{n}")));
        assert!(Arc::ptr_eq(&plain, &subset));
    }
}

#[test]
fn settings_are_checked() {
    let config: TagConfig = serde_json::from_str(
        r#"{"force": true, "tags": [{"name": "gray", "to": {"address": {"cidr": "10.0.0.0/8"}}}]}"#,
    )
    .unwrap();
    assert!(config.force && TagRouter::with_config(config).is_ok());

    let twice = TagConfig::new()
        .with_tag("a", TargetMatcher::new())
        .with_tag("a", TargetMatcher::new());
    let error = TagRouter::with_config(twice).unwrap_err();
    assert_eq!(error.to_string(), "`tags[1].name`: `a` stands there twice");
    let error = TagRouter::with_config(TagConfig::new().with_force_key("No Key")).unwrap_err();
    assert_eq!(error.path(), "force_key");
}
